"""Settings of the section `evaluation`."""

from ml.settings.section import Section


class EvaluationSettings(Section):
    """Knobs of `evaluation`; their reasons stand in settings.yaml."""
