"""How the console writes numbers, shares and names."""

from __future__ import annotations

from ml.console.pages import page_name
from ml.console.published import PublishedTables
from ml.events.contract import EVENT_TYPES
from ml.expressions.language import ExpressionError
from ml.settings.warehouse import FUNNEL_STEP
from ml.usage.ratios import Ratio
from serving.console.localized_texts import Numeral, say

NO_VALUE = {
    "segment": "No segment",
    "device": "Unknown device",
    "country": "Unknown country",
    "channel": "Unknown source",
}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DEVICES = ("desktop", "mobile", "tablet", "tv", "other")
OF_TRACKERS = ("dead_click", "rage_click", "scroll_reversal")
ACTIONS = frozenset({*EVENT_TYPES, *OF_TRACKERS, "other"})
DASH = "–"
LEGAL = " Legal:"  # before all names that an expression may use, of which pages have a table or complete them


def format_count(value: float) -> str:
    """Write a number with separators."""
    return Numeral(f"{value:,.0f}")


def format_money(value: float, currency: str) -> str:
    """Write an amount in the currency of the site."""
    return (
        Numeral(f"{value:,.2f}")
        if not currency
        else say("{amount} {currency}", amount=Numeral(f"{value:,.2f}"), currency=currency)
    )


def format_percent(value: float | None) -> str:
    """Write a share in percent."""
    return DASH if value is None else say("{number}%", number=Numeral(f"{100 * value:.1f}"))


def format_seconds(value: float | None) -> str:
    """Write seconds, from a minute on with minutes."""
    if value is None:
        return DASH
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def format_interval(ratio: Ratio) -> str:
    """Write the interval of a share, or why there is none."""
    if ratio.low is None or ratio.high is None:
        return say("too few people for an interval") if ratio.value is not None else ""
    return say(
        "{low} to {high}% (95% interval)",
        low=Numeral(f"{100 * ratio.low:.1f}"),
        high=Numeral(f"{100 * ratio.high:.1f}"),
    )


def format_change(now: float | None, before: float | None) -> str:
    """Write the relative change; empty where there is nothing to compare with."""
    if now is None or not before:
        return ""
    change = round(now / before - 1, 3)
    return say("{number}%", number=Numeral(f"{100 * change:+.1f}")) if change else say("no change")


def format_points(now: float | None, before: float | None) -> str:
    """Write the change of a share in points of a per cent; empty where there is nothing to compare with."""
    if now is None or before is None:
        return ""
    points = round(100 * (now - before), 1)
    return say("{number} points", number=Numeral(f"{points:+.1f}")) if points else say("no change")


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
    if dimension == "device" and value in DEVICES:
        return say(value)
    return value or say(NO_VALUE[dimension])


def format_action(action: str) -> str:
    """Write the type of an event in words: `add_to_cart` becomes `Add to cart`, `click:zoom` `Click: zoom`."""
    kind, _, element = action.removeprefix("custom:").partition(":")
    words = kind.replace("_", " ")
    words = words[:1].upper() + words[1:]
    words = say(words) if kind in ACTIONS else words
    return say("{action}: {element}", action=words, element=element) if element else words


def name_page(tables: PublishedTables, page: int) -> str:
    """Return the title of a page, else its address, or the words for what is no single page."""
    name = page_name(tables, page)
    return name if page in tables.pages else say(name)


def format_step(step: str) -> str:
    """Write a step of a funnel in words: `page_view@/a` becomes `Page view of /a`, `click#b` `Click on b`."""
    match = FUNNEL_STEP.fullmatch(step)
    event_type, sign, place = match.groups(default="") if match is not None else (step, "", "")
    words = format_action(event_type)
    if sign == "@":
        template = "{action} of {place}" if event_type == "page_view" else "{action} at {place}"
        return say(template, action=words, place=place)
    if sign == "#":
        return say("{action} on {place}", action=words, place=place)
    return say("{action} at {place}", action=words, place=place) if sign else words


def percent_number(ratio: Ratio) -> float | None:
    """Return a share in percent for a table, rounded."""
    return None if ratio.value is None else round(100 * ratio.value, 2)


def format_fault(error: ExpressionError) -> str:
    """Write what is wrong with an expression and where, for who is writing it."""
    place = f"character {error.column}" if error.line == 1 else f"line {error.line}"
    return f"{error.problem.partition(LEGAL)[0]} ({place})"
