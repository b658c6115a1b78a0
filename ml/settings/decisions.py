"""Settings of the section `decisions`."""

from ml.settings.section import Section


class DecisionSettings(Section):
    """Knobs of `decisions`; their reasons stand in settings.yaml."""
