"""The settings of a site: typed sections whose knobs carry default, unit and reason."""

from ml.settings.sections import Settings
from ml.settings.settings_files import (
    LoadedSettings,
    SettingsError,
    load_settings,
    load_site_settings,
)

__all__ = ["LoadedSettings", "Settings", "SettingsError", "load_settings", "load_site_settings"]
