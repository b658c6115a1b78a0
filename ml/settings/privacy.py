"""Settings of the section `privacy`."""

from ml.settings.section import Section


class PrivacySettings(Section):
    """Knobs of `privacy`; their reasons stand in settings.yaml."""
