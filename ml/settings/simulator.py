"""Settings of the section `simulator`."""

from ml.settings.section import Section


class SimulatorSettings(Section):
    """Knobs of `simulator`; their reasons stand in settings.yaml."""
