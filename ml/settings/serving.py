"""Settings of the section `serving`."""

from ml.settings.section import Section


class ServingSettings(Section):
    """Knobs of `serving`; their reasons stand in settings.yaml."""
