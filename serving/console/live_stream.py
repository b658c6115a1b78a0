"""The last half hour as a stream of server-sent events, each a part of the page Audience."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from zoneinfo import ZoneInfo

from ml.console.live import MINUTES, LiveFigures, count_live
from ml.events.log import EventLog
from serving.console.localized_texts import Numeral, say
from serving.console.page_parts import Card, Cell, ConsolePage, Sheet
from serving.errors import ApiError
from serving.start import ServiceConfig

EVERY_SECONDS = 5.0
MOST_STREAMS = 50
MOST_MESSAGES = 60
"""A stream ends after five minutes; browsers open it again, and sign-in is looked at anew."""


class LiveStream:
    """Counts once for all readers, and sends each of them the counts.

    Args:
        config: Where the event log lies.
        clock: The present time.
    """

    def __init__(self, config: ServiceConfig, clock: Callable[[], dt.datetime]) -> None:
        self._log = EventLog(config.home)
        self._zone = ZoneInfo(config.settings.warehouse.site_timezone)
        self._clock = clock
        self._streams = 0
        self._counted: tuple[float, ConsolePage] | None = None
        self._lock = asyncio.Lock()

    async def messages(
        self, is_allowed: Callable[[], bool], render: Callable[[ConsolePage], Awaitable[str]]
    ) -> AsyncIterator[str]:
        """Yield messages until the reader leaves or may not read any more.

        Args:
            is_allowed: Whether the reader still may read.
            render: Writes the part as HTML.
        """
        self._streams += 1
        try:
            for _ in range(MOST_MESSAGES):
                if not is_allowed():
                    return
                text = await render(await self._count())
                yield "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            self._streams -= 1

    def require_room(self) -> None:
        """Check that a further stream may begin.

        Raises:
            ApiError: 503.
        """
        if self._streams >= MOST_STREAMS:
            raise ApiError(503, f"{MOST_STREAMS} readers are already watching the last half hour; try again later")

    async def _count(self) -> ConsolePage:
        async with self._lock:
            now = self._clock()
            if self._counted is None or now.timestamp() - self._counted[0] >= EVERY_SECONDS / 2:
                figures = await asyncio.to_thread(count_live, self._log, now)
                self._counted = (now.timestamp(), describe_live(figures, self._zone))
            return self._counted[1]


def describe_live(figures: LiveFigures, zone: ZoneInfo) -> ConsolePage:
    """Describe the last half hour by the clock of the site."""
    rows: list[list[Cell]] = [[f"{minute.astimezone(zone):%H:%M}", count] for minute, count in figures.minutes]
    chart = {
        "kind": "bar",
        "x": [row[0] for row in rows],
        "series": [{"name": say("Events"), "values": [row[1] for row in rows]}],
        "whole": True,
    }
    lists = (
        ("live-pages", "Pages now", ("Page", "Views"), figures.pages),
        ("live-countries", "Countries now", ("Country", "People"), figures.countries),
        ("live-types", "What people do now", ("Event", "Events"), figures.types),
    )
    return ConsolePage(
        cards=[
            Card(say("People in the last {minutes} minutes", minutes=MINUTES), Numeral(f"{figures.people:,}")),
            Card("Page views", Numeral(f"{figures.page_views:,}")),
            Card("Events", Numeral(f"{sum(count for _, count in figures.minutes):,}")),
        ],
        sheets=[
            Sheet("live", "Events by minute", ["Minute", "Events"], rows, chart=chart, is_half=True),
            *(_list(key, title, columns, counts) for key, title, columns, counts in lists),
        ],
    )


def _list(key: str, title: str, columns: Sequence[str], counts: Sequence[tuple[str, int]]) -> Sheet:
    rows: list[list[Cell]] = [[name or say("Unknown"), count] for name, count in counts]
    empty = say("There was no activity in the last {minutes} minutes.", minutes=MINUTES)
    return Sheet(key, title, columns, rows, is_half=True, empty=empty)
