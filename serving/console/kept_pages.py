"""Pages that were made already, for the next readers of the same dates and filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from serving.console.page_parts import ConsolePage

MOST_KEPT = 100
"""A page takes some hundred kilobytes."""


@dataclass
class KeptPage:
    """A page that was made.

    Attributes:
        made_at: When, Unix seconds.
        page: Its content.
        texts: Its HTML by language, into which name and token of the reader are filled, once it is written.
    """

    made_at: float
    page: ConsolePage
    texts: dict[str, str] = field(default_factory=dict)


class KeptPages:
    """The pages of a bundle, the least recently made of which go first."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str, str], KeptPage] = {}

    def find_or_make(
        self, key: tuple[str, str, str], seconds: float | None, now: float, make: Callable[[], KeptPage]
    ) -> KeptPage:
        """Return a page that was made, or make it.

        Args:
            key: Name of the page, the query of its address, and the likeness of the reader.
            seconds: How old it may be; None for any age.
            now: Unix seconds.
            make: Makes it.
        """
        kept = self._pages.pop(key, None)
        if kept is None or (seconds is not None and not 0 <= now - kept.made_at < seconds):
            kept = make()
        self._pages[key] = kept
        if len(self._pages) > MOST_KEPT:
            del self._pages[next(iter(self._pages))]
        return kept
