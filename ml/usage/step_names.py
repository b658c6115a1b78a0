"""What a step of a funnel is called in the settings: `type`, `type@page`, `type#element` or `type:pattern`."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from ml.errors import InvalidInputError
from ml.events.contract import CUSTOM_PREFIX, EVENT_TYPES
from ml.settings.warehouse import FUNNEL_STEP

PAGE, ELEMENT, PATTERN = "@", "#", ":"


@dataclass(frozen=True)
class StepName:
    """A step.

    Attributes:
        event_type: Type of the event.
        kind: PAGE, ELEMENT or PATTERN; empty for any event of the type.
        place: Address of the page without what follows a question mark, name of the element, or pattern of the
            whole address.
    """

    event_type: str
    kind: str = ""
    place: str = ""

    def __str__(self) -> str:
        return f"{self.event_type}{self.kind}{self.place}"


def parse_step(text: str) -> StepName:
    """Read the name of a step.

    >>> parse_step("page_view@/cart")
    StepName(event_type='page_view', kind='@', place='/cart')

    Raises:
        InvalidInputError: It is no name of a step, or there is no such event type.
    """
    match = FUNNEL_STEP.fullmatch(text)
    if match is None:
        raise InvalidInputError(
            f"{text[:80]!r} is no step: write page_view, page_view@/address, click#element or custom:name, without"
            " quotes, braces and backslashes"
        )
    event_type, kind, place = match.groups(default="")
    if not event_type.startswith(CUSTOM_PREFIX) and event_type not in EVENT_TYPES:
        close = get_close_matches(event_type, list(EVENT_TYPES), n=1)
        hint = (
            f"; did you mean {close[0]}?" if close else f"; write {CUSTOM_PREFIX}{event_type} for one of your own"
        )
        raise InvalidInputError(f"there is no event type {event_type[:80]!r}{hint}")
    return StepName(event_type, kind, place)
