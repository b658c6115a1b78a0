"""Settings of the section `warehouse`."""

from ml.settings.section import Section


class WarehouseSettings(Section):
    """Knobs of `warehouse`; their reasons stand in settings.yaml."""
