"""How the console writes numbers, shares and names."""

from __future__ import annotations

from ml.expressions.language import ExpressionError
from ml.settings.warehouse import FUNNEL_STEP
from ml.usage.ratios import Ratio

NO_VALUE = {
    "segment": "No segment",
    "device": "Unknown device",
    "country": "Unknown country",
    "channel": "Unknown source",
}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DASH = "–"
LEGAL = " Legal:"  # before all names that an expression may use, of which pages have a table or complete them


def format_count(value: float) -> str:
    """Write a number with separators."""
    return f"{value:,.0f}"


def format_money(value: float, currency: str) -> str:
    """Write an amount in the currency of the site."""
    return f"{value:,.2f} {currency}".rstrip()


def format_percent(value: float | None) -> str:
    """Write a share in percent."""
    return DASH if value is None else f"{100 * value:.1f}%"


def format_seconds(value: float | None) -> str:
    """Write seconds, from a minute on with minutes."""
    if value is None:
        return DASH
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def format_interval(ratio: Ratio) -> str:
    """Write the interval of a share, or why there is none."""
    if ratio.low is None or ratio.high is None:
        return "too few people for an interval" if ratio.value is not None else ""
    return f"{100 * ratio.low:.1f} to {100 * ratio.high:.1f}% (95% interval)"


def format_change(now: float | None, before: float | None) -> str:
    """Write the relative change; empty where there is nothing to compare with."""
    if now is None or not before:
        return ""
    change = round(now / before - 1, 3)
    return f"{change:+.1%}" if change else "no change"


def format_points(now: float | None, before: float | None) -> str:
    """Write the change of a share in points of a per cent; empty where there is nothing to compare with."""
    if now is None or before is None:
        return ""
    points = round(100 * (now - before), 1)
    return f"{points:+.1f} points" if points else "no change"


def find_direction(now: float | None, before: float | None) -> str:
    """Return `up`, `down`, or nothing, by which the page colours a change; what rounds to nothing has none."""
    if now is None or before is None or not round(now - before, 3):
        return ""
    return "up" if now > before else "down"


def is_outside(value: float | None, ratio: Ratio) -> bool:
    """Return whether a value lies outside of the interval of a share; not where there is none."""
    return (
        value is not None
        and ratio.low is not None
        and ratio.high is not None
        and not (ratio.low <= value <= ratio.high)
    )


def name_value(dimension: str, value: str) -> str:
    """Return the name of a value of a dimension."""
    return value or NO_VALUE[dimension]


def format_action(action: str) -> str:
    """Write the type of an event in words: `add_to_cart` becomes `Add to cart`, `click:zoom` `Click: zoom`."""
    kind, _, element = action.removeprefix("custom:").partition(":")
    words = kind.replace("_", " ")
    return words[:1].upper() + words[1:] + (f": {element}" if element else "")


def format_step(step: str) -> str:
    """Write a step of a funnel in words: `page_view@/a` becomes `Page view of /a`, `click#b` `Click on b`."""
    match = FUNNEL_STEP.fullmatch(step)
    event_type, sign, place = match.groups(default="") if match is not None else (step, "", "")
    words = format_action(event_type)
    if sign == "@":
        return f"{words} of {place}" if event_type == "page_view" else f"{words} at {place}"
    return f"{words} on {place}" if sign == "#" else f"{words} at {place}" if sign else words


def percent_number(ratio: Ratio) -> float | None:
    """Return a share in percent for a table, rounded."""
    return None if ratio.value is None else round(100 * ratio.value, 2)


def format_fault(error: ExpressionError) -> str:
    """Write what is wrong with an expression and where, for who is writing it."""
    place = f"character {error.column}" if error.line == 1 else f"line {error.line}"
    return f"{error.problem.partition(LEGAL)[0]} ({place})"
