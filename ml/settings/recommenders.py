"""Settings of the section `recommenders`."""

from ml.settings.section import Section


class RecommenderSettings(Section):
    """Knobs of `recommenders`; their reasons stand in settings.yaml."""
