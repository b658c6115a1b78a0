"""Settings of the section `privacy`."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from ml.settings.section import Section

Purpose = Literal["analytics", "personalization", "location"]
Signal = Literal["ignore", "no_personalization", "no_analytics"]
Datum = Literal["hash", "drop", "refuse", "keep"]


class PrivacySettings(Section):
    """Knobs of `privacy`; their reasons stand in settings.yaml."""

    default_consent_browser: tuple[Purpose, ...]
    default_consent_trusted: tuple[Purpose, ...]
    global_privacy_control: Signal
    do_not_track: Signal
    cookieless: Literal["never", "fallback", "always"]
    address: Literal["drop", "truncate", "keep"]
    coordinate_decimals: int = Field(ge=0, le=4)
    email: Datum
    phone: Datum
    other_personal_data: Datum
    email_fields: tuple[str, ...]
    phone_fields: tuple[str, ...]
    other_fields: tuple[str, ...]
    retention_days: PositiveInt
    dead_letter_retention_days: NonNegativeInt
