"""Settings of the section `segmentation`."""

from ml.settings.section import Section


class SegmentationSettings(Section):
    """Knobs of `segmentation`; their reasons stand in settings.yaml."""
