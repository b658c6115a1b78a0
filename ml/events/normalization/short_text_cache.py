"""A cache of what was worked out of texts that strangers send: bounded in entries and in bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

MAX_CACHED_CHARS = 500

P = ParamSpec("P")
R = TypeVar("R")


def cache_short_texts(entries: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Cache a function of a text, which is its first argument and given by position.

    What is longer than MAX_CACHED_CHARS is worked out each time: whoever sends thousands of long texts would fill
    the memory otherwise.

    Args:
        entries: Number of texts that are kept, those that were asked for last.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = lru_cache(entries)(function)

        @wraps(function)
        def look_up(*args: P.args, **kwargs: P.kwargs) -> R:
            text = args[0]
            if isinstance(text, str) and len(text) > MAX_CACHED_CHARS:
                return function(*args, **kwargs)
            return cached(*args, **kwargs)  # type: ignore[arg-type]  # every argument can be hashed

        return look_up

    return decorate
