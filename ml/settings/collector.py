"""Settings of the section `collector`."""

from ml.settings.section import Section


class CollectorSettings(Section):
    """Knobs of `collector`; their reasons stand in settings.yaml."""
