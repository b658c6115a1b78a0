"""Randomness that depends on its keys alone, so that any day of a site can be drawn without the days before it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ml.arrays import F64, U64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HEX_PAIRS = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2")


class Stream(IntEnum):
    """What a random number is for; streams never share numbers."""

    USERS = 1
    ITEMS = 2
    DAY = 3
    VISIT = 4
    VISIT_MOMENT = 6
    USER_ID = 7
    DEVICE_ID = 8
    EVENT_ID = 9
    SESSION_ID = 10
    RECOMMENDATION_ID = 11
    PASSERS_BY = 13
    TASTE = 15
    INTENT = 16
    FATIGUE = 17


def generator(seed: int, stream: Stream, *keys: int) -> np.random.Generator:
    """A generator of its own for a stream and its non-negative keys."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, int(stream), *keys])))


def mixed(seed: int, stream: Stream, *keys: npt.ArrayLike) -> U64:
    """One well-mixed uint64 for every element of the broadcast integer keys.

    For one seed and stream it is a bijection of a single key, so different keys never collide.
    Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014), chained over the keys.
    """
    with np.errstate(over="ignore"):
        state = _finalise(np.array(seed, dtype=np.int64).astype(np.uint64) + _GOLDEN * np.uint64(stream))
        for key in keys:
            state = _finalise((state + _GOLDEN) ^ np.asarray(key).astype(np.int64).astype(np.uint64))
    return np.asarray(state, dtype=np.uint64)


def uniform(seed: int, stream: Stream, *keys: npt.ArrayLike) -> F64:
    """Numbers in [0, 1) by `mixed`."""
    return np.asarray((mixed(seed, stream, *keys) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def hexadecimal(keys: U64) -> npt.NDArray[np.bytes_]:
    """(n,) uint64 → (n,) S16, the sixteen hexadecimal digits of each."""
    pairs = _HEX_PAIRS[np.ascontiguousarray(keys.astype(">u8")).view(np.uint8)]
    return pairs.view("S16")


def _finalise(state: U64) -> U64:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)
