"""Settings of the section `privacy`: what may be kept of a person, and for how long."""

from typing import Literal

from ml.settings.section import Section, knob

Purpose = Literal["analytics", "personalization", "location"]
Signal = Literal["ignore", "no_personalization", "no_analytics"]
Datum = Literal["hash", "drop", "refuse", "keep"]


class PrivacySettings(Section):
    """Consent, personal data in events, and retention."""

    default_consent_browser: tuple[Purpose, ...] = knob(
        (), "Purposes of an event that names none and comes with a browser key: none until the visitor agrees."
    )
    default_consent_trusted: tuple[Purpose, ...] = knob(
        ("analytics", "personalization", "location"),
        "The same for secret keys, file sources, and a service that runs without keys.",
    )
    global_privacy_control: Signal = knob(
        "no_personalization", "What the header `Sec-GPC: 1` takes away from the consent of an event."
    )
    do_not_track: Signal = knob(
        "ignore", "What the header `DNT: 1` takes away; most browsers send it without asking anybody."
    )
    cookieless: Literal["never", "fallback", "always"] = knob(
        "never",
        "Visitor ids hashed from address and browser with a key of the day: never, fallback (where no id is sent)"
        " or always.",
    )
    address: Literal["drop", "truncate", "keep"] = knob(
        "drop",
        "What happens to the visitor's address after the country is looked up: drop, truncate (to /24 or /48) or"
        " keep it whole.",
    )
    coordinate_decimals: int = knob(
        1, "Decimals kept of a granted position in degrees; 1 is about 11 km.", unit="decimals", ge=0, le=4
    )
    email: Datum = knob(
        "hash",
        "Fields and texts that hold an e-mail address: hash (with the site's key), drop, refuse the event, or"
        " keep.",
    )
    phone: Datum = knob("hash", "The same for telephone numbers.")
    other_personal_data: Datum = knob("drop", "The same for names and postal addresses, which nothing here needs.")
    email_fields: tuple[str, ...] = knob(
        ("email", "emailaddress", "mail", "useremail"),
        "Names of fields with e-mail addresses, in lower case, without _ and -.",
    )
    phone_fields: tuple[str, ...] = knob(
        ("phone", "phonenumber", "mobile", "mobilenumber", "telephone", "tel"),
        "Names of fields with telephone numbers, in lower case, without _ and -.",
    )
    other_fields: tuple[str, ...] = knob(
        (
            *("firstname", "lastname", "fullname", "street", "address", "password"),
            *("birthday", "dateofbirth", "ssn", "iban", "cardnumber"),
        ),
        "Names of fields with other personal data, in lower case, without _ and -.",
    )
    retention_days: int = knob(
        760,
        "Time from received_at for which an event is kept; 25 months, the longest that the CNIL finds reasonable.",
        unit="days",
        gt=0,
    )
    dead_letter_retention_days: int = knob(
        30, "Time for which rejected rows are kept; long enough to repair a tracker.", unit="days", ge=0
    )
