"""Segments and personas: found, named, explained and kept stable."""

from ml.segmentation.fitting import fit_segmentation
from ml.segmentation.segmentation import Assignment, Segmentation, load_segmentation

__all__ = ["Assignment", "Segmentation", "fit_segmentation", "load_segmentation"]
