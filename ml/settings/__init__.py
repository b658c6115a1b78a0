"""The settings of a site: typed sections whose knobs carry default, unit and reason."""

from ml.settings.loading import (
    LoadedSettings,
    SettingsError,
    load_settings,
    load_site_settings,
)
from ml.settings.sections import Settings

__all__ = ["LoadedSettings", "Settings", "SettingsError", "load_settings", "load_site_settings"]
