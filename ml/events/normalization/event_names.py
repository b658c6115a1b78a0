"""One name for what trackers report of people's trouble with a page, whoever made the tracker."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ml.events.contract import CUSTOM_PREFIX
from ml.events.normalization.short_text_cache import cache_short_texts

RAGE_CLICK, DEAD_CLICK, SCROLL_REVERSAL = "custom:rage_click", "custom:dead_click", "custom:scroll_reversal"
# By the letters of a name alone: those of PostHog, Mixpanel, Amplitude and of sites that measure it themselves.
TROUBLE_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("rageclick", "rageclicks", "rageclicked", "mprageclick", "amplituderageclick"), RAGE_CLICK),
    **dict.fromkeys(("deadclick", "deadclicks", "deadclicked", "mpdeadclick", "amplitudedeadclick"), DEAD_CLICK),
    **dict.fromkeys(("scrollreversal", "scrollreversals", "scrollreversed"), SCROLL_REVERSAL),
}


@cache_short_texts(4_096)
def normalize_event_type(event_type: str) -> str:
    """Return the event type, with one name for rage clicks, one for dead clicks and one for scroll reversals.

    Args:
        event_type: A type of the contract, `custom:<name>`, or the name that a tracker gave the event.
    """
    letters = re.sub(r"[^a-z]", "", event_type.lower().removeprefix(CUSTOM_PREFIX))
    return TROUBLE_NAMES.get(letters, event_type)
