"""Segments and personas: found, named, explained and kept stable."""

from ml.segmentation.segmentation import Assignment, Segmentation, fit_segmentation, load_segmentation

__all__ = ["Assignment", "Segmentation", "fit_segmentation", "load_segmentation"]
