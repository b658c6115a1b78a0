"""Settings of the section `ports`."""

from ml.settings.section import Section


class PortSettings(Section):
    """Knobs of `ports`; their reasons stand in settings.yaml."""
