"""The drift of a column in plain words."""

from __future__ import annotations

from ml.monitoring.inputs.drift import DRIFTED, LOST, ONE_DAY, QUIET, SMALL, UNJUDGED, UNSURE, ColumnDrift

_STATES = {
    ONE_DAY: "differs because of a single day",
    SMALL: "differs by less than what matters",
    UNSURE: "differs, but may do so by chance",
    QUIET: "is as it was in the training",
    UNJUDGED: "is not judged: the site is too young, or too few people came",
}


def verdict(drift: ColumnDrift) -> str:
    """What is to be said of a column, as a clause."""
    if drift.state == LOST:
        return (
            f"is missing: {_share(1 - drift.missing_now)} have a value, "
            f"not {_share(1 - drift.missing_then)} as in the training"
        )
    if drift.state == DRIFTED:
        return f"has changed: {carrier_name(drift)} {moved(drift.share_then, drift.share_now)}"
    return _STATES[drift.state]


def carrier_name(drift: ColumnDrift) -> str:
    """The value whose share changed most, or of numbers those above the middle of the training's."""
    profile = drift.profile
    if profile.kind == "numbers":
        return f"above {profile.edges[drift.carrier]:g}" if profile.edges else "any number"
    is_named = drift.carrier < len(profile.values)
    return profile.values[drift.carrier] if is_named else "new or rare values"


def moved(then: float, now: float) -> str:
    """How a share moved, in words."""
    return f"{'fell' if now < then else 'rose'} from {_share(then)} to {_share(now)}"


def _share(value: float) -> str:
    return f"{value:.1%}" if value < 0.1 else f"{value:.0%}"
