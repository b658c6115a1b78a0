"""Learn segments of users, name and describe them, and keep their identity from run to run."""

from ml.segmentation.segmentation import SegmentAssignment, Segmentation, load_segmentation
from ml.segmentation.training import fit_segmentation

__all__ = ["SegmentAssignment", "Segmentation", "fit_segmentation", "load_segmentation"]
