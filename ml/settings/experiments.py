"""Settings of the section `experiments`."""

from ml.settings.section import Section


class ExperimentSettings(Section):
    """Knobs of `experiments`; their reasons stand in settings.yaml."""
