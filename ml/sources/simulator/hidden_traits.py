"""What no event says of a visit: how much the person wants to buy, and whether they grow tired of the site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ml.arrays import F64, I64, U64, Bools
from ml.sources.simulator.randomness import Stream, uniform

INTENT_MAX = 2.0


@dataclass(frozen=True)
class HiddenTraits:
    """One value a session.

    Attributes:
        intent: standard normal, cut at ±`INTENT_MAX`, (n,).
        is_tired: whether the pages before the end are read ever shorter, (n,).
    """

    intent: F64
    is_tired: Bools


def hidden_traits(session_keys: U64, seed: int, tired_share: float) -> HiddenTraits:
    """Draw the traits of sessions, a function of their keys (n,) and the seed alone."""
    intent = ndtri(np.maximum(uniform(seed, Stream.INTENT, session_keys), 2.0**-53))
    is_tired = uniform(seed, Stream.FATIGUE, session_keys) < tired_share
    return HiddenTraits(np.clip(intent, -INTENT_MAX, INTENT_MAX), is_tired)


def tire(dwell_ms: I64, pages_left: I64, is_tired: Bools, factor: float) -> I64:
    """Shorten the dwell (p,) of tired sessions: on the last page but one by a factor, on the last by its square.

    Args:
        dwell_ms: Dwell on each page.
        pages_left: How many pages of the session follow each page.
        is_tired: Whether the page belongs to a tired session of more than two pages.
        factor: What is left of the dwell at each step.
    """
    shortened = np.where(is_tired & (pages_left < 2), factor ** (2.0 - pages_left), 1.0)
    return np.asarray(dwell_ms * shortened).astype(np.int64)
