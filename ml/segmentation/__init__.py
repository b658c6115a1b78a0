"""Segments and personas: found, named, explained and kept stable."""

from ml.segmentation.segmentation import SegmentAssignment, Segmentation, load_segmentation
from ml.segmentation.training import fit_segmentation

__all__ = ["SegmentAssignment", "Segmentation", "fit_segmentation", "load_segmentation"]
