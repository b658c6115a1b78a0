"""Settings of the section `canary`: how a new model is tried on some people before it answers everybody."""

from ml.settings.section import Section, knob


class CanarySettings(Section):
    """Who gets a new model first, and when it is known to be no worse."""

    share: float = knob(
        0.1,
        "People whom a new model answers until it is clear whether it is worse than the former one; with 0 it"
        " answers everybody at once.",
        unit="share of people",
        ge=0,
        le=0.5,
    )
    tolerated_loss: float = knob(
        0.05,
        "Tolerated loss of clicked answers: the new model answers everybody once a larger one is ruled out.",
        unit="relative",
        gt=0,
        lt=1,
    )
    confidence: float = knob(
        0.95,
        "Confidence of the interval that decides. It is read after every run and holds at all readings together.",
        unit="probability",
        gt=0.5,
        lt=1,
    )
    least_people: int = knob(
        30,
        "People whom either model has to answer before anything is decided, so that means are about normal.",
        unit="people",
        ge=10,
    )
    most_days: float = knob(
        14,
        "After so long, the difference that was measured decides, even if it is uncertain.",
        unit="days",
        gt=0,
    )
    rest_days: float = knob(
        28,
        "So long a configuration that was rolled back is not tried again; the gate would choose it anew.",
        unit="days",
        ge=0,
    )
