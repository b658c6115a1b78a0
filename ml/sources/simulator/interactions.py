"""What people do on a page: pings, scrolling, hovering, the cursor, videos, forms, searches and reactions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64, I64, Bools
from ml.events.normalization.event_names import DEAD_CLICK, RAGE_CLICK, SCROLL_REVERSAL
from ml.sources.simulator.browsing import Pages
from ml.sources.simulator.items import Items
from ml.sources.simulator.personas import HABITS
from ml.sources.simulator.properties import CLICK_TARGETS, FORMS, HOVER_TARGETS, POSITIONS, PRICE, PropertyTexts
from ml.sources.simulator.rows import RowCollector

# usual rates per page of an average user; habits multiply them
SCROLL_RATE = 0.75
HOVER_RATE = 0.22
CURSOR_RATE = 0.3
VIDEO_RATE = 0.3
FORM_RATE = 0.045
SEARCH_RATE = 0.05
REACTION_RATES = {
    "like": ("like", 0.03),
    "dislike": ("like", 0.004),
    "bookmark": ("bookmark", 0.025),
    "share": ("share", 0.02),
    "comment": ("comment", 0.012),
    "follow": ("like", 0.004),
    "not_interested": ("like", 0.004),
    "rating": ("comment", 0.008),
}
MENU_CLICK_RATE = 0.05
RAGE_RATE = 0.004
DEAD_CLICK_RATE = 0.01
EXIT_RATE = 0.93


@dataclass
class PageContext:
    """What the kinds of events need to know of each page: (p,) arrays beside the pages.

    habits (p, habits): those of the user. has_cursor: the device has a pointer. is_human: not a bot's page.
    """

    pages: Pages
    items: Items
    habits: F32
    has_cursor: Bools
    is_human: Bools
    is_product: Bools
    heartbeat_ms: float

    def rate(self, habit: str, usual: float, most: float = 0.95) -> F32:
        """(p,) probability of a habit on each page; 0 for bots."""
        return np.where(self.is_human, np.minimum(usual * self.habits[:, HABITS.index(habit)], most), 0.0)


def add_reading(context: PageContext, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator) -> F64:
    """Pings, scrolls and exits. Returns (p,) the deepest scroll of each page in percent."""
    pages = context.pages
    n = len(pages)
    view = np.arange(n)
    depth_mean = np.clip(0.5 * context.habits[:, HABITS.index("scroll")], 0.05, 0.96)
    depth: F64 = np.where(context.is_human, 100 * rng.beta(depth_mean * 6, (1 - depth_mean) * 6), 0.0)
    engaged = np.where(context.is_human, pages.dwell_ms * rng.uniform(0.7, 1.0, n), 0.0)
    pings = np.minimum(engaged // context.heartbeat_ms, 20).astype(np.int64)
    ping_page = np.repeat(view, pings)
    ordinal = np.arange(len(ping_page)) - np.repeat(np.cumsum(pings) - pings, pings) + 1
    ping_depth = depth[ping_page] * np.minimum(ordinal / pings[ping_page], 1.0)
    rows.add(
        "page_ping",
        ping_page,
        pages.start_ms[ping_page] + (ordinal * context.heartbeat_ms).astype(np.int64),
        np.full(len(ping_page), context.heartbeat_ms / 1000),
        texts.scroll_depth + ping_depth.astype(np.int64),
    )
    scrolls = np.flatnonzero(rng.random(n) < np.where(context.is_human, SCROLL_RATE, 0.0))
    rows.add(
        "scroll",
        scrolls,
        pages.start_ms[scrolls] + (pages.dwell_ms[scrolls] * 0.6).astype(np.int64),
        np.floor(depth[scrolls]),
        np.full(len(scrolls), texts.scroll_down),
    )
    exits = np.flatnonzero(rng.random(n) < EXIT_RATE)
    rows.add("page_exit", exits, pages.start_ms[exits] + pages.dwell_ms[exits], pages.dwell_ms[exits] / 1000.0)
    return np.floor(depth)


def add_scroll_reversals(
    context: PageContext, where: I64, depth: F64, rows: RowCollector, texts: PropertyTexts
) -> None:
    """On the pages `where`: back up to a third of the depth, and down again, as two reversals."""
    pages = context.pages
    start, dwell, deepest = pages.start_ms[where], pages.dwell_ms[where], depth[where].astype(np.int64)
    rows.add(
        "scroll",
        where,
        start + (dwell * 0.7).astype(np.int64),
        (deepest // 3).astype(np.float64),
        texts.scroll_up + deepest,
    )
    rows.add(
        "scroll",
        where,
        start + (dwell * 0.8).astype(np.int64),
        deepest.astype(np.float64),
        texts.scroll_down + deepest // 3,
    )
    for turn in (0.7, 0.8):
        rows.add(SCROLL_REVERSAL, where, start + (dwell * turn).astype(np.int64))


def add_pointer(context: PageContext, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator) -> None:
    """Hovers, cursor travel, menu clicks, dead clicks and rage clicks."""
    pages = context.pages
    n = len(pages)
    hovers = np.flatnonzero(rng.random(n) < context.rate("hover", HOVER_RATE) * context.has_cursor)
    element = rng.integers(0, len(HOVER_TARGETS) - 2, len(hovers))
    milliseconds = np.clip(np.exp(rng.normal(6.5, 0.8, len(hovers))), 80, 20_000)
    rows.add("hover", hovers, _moment(pages, hovers, rng), np.floor(milliseconds), texts.hover + element)
    moves = np.flatnonzero(rng.random(n) < context.rate("cursor", CURSOR_RATE) * context.has_cursor)
    travelled = np.floor(pages.dwell_ms[moves] * 0.12 * np.exp(rng.normal(0, 0.6, len(moves))))
    rows.add("cursor", moves, pages.start_ms[moves] + pages.dwell_ms[moves] - 1, travelled)
    menu = np.flatnonzero(rng.random(n) < np.where(context.is_human, MENU_CLICK_RATE, 0.0))
    place = CLICK_TARGETS.index("menu") * 8 + rng.integers(0, 8, len(menu))
    rows.add("click", menu, _moment(pages, menu, rng), None, texts.click + place)
    dead = np.flatnonzero(rng.random(n) < np.where(context.is_human, DEAD_CLICK_RATE, 0.0))
    rows.add(
        DEAD_CLICK,
        dead,
        _moment(pages, dead, rng),
        None,
        texts.dead_click + CLICK_TARGETS.index("image") + 0 * dead,
    )
    rage = np.flatnonzero(rng.random(n) < np.where(context.is_human, RAGE_RATE, 0.0))
    moment = _moment(pages, rage, rng)
    button = CLICK_TARGETS.index("cta_disabled")
    for blow in range(4):
        rows.add("click", rage, moment + 250 * blow, None, texts.click + button * POSITIONS + 0 * rage)
    rows.add(RAGE_CLICK, rage, moment + 500, None, texts.rage_click + button + 0 * rage)  # with the third click


def add_videos(context: PageContext, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator) -> None:
    """Plays, and progress at every quarter that is reached."""
    pages = context.pages
    with_video = np.flatnonzero(context.items.has_video[pages.item])
    plays = with_video[rng.random(len(with_video)) < context.rate("video", VIDEO_RATE)[with_video]]
    length = pages.item[plays] % 10
    started = pages.start_ms[plays] + (pages.dwell_ms[plays] * 0.1).astype(np.int64)
    rows.add("video_play", plays, started, None, texts.video + length)
    reached = rng.beta(1.6, 1.2, len(plays))
    for quarter in (25, 50, 75, 100):
        on = reached * 110 >= quarter
        moment = started[on] + (pages.dwell_ms[plays[on]] * 0.8 * quarter / 100).astype(np.int64)
        rows.add(
            "video_progress", plays[on], moment, np.full(int(on.sum()), float(quarter)), texts.video + length[on]
        )


def add_forms(context: PageContext, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator) -> None:
    """Forms that are begun, and sent or abandoned."""
    pages = context.pages
    starts = np.flatnonzero(rng.random(len(pages)) < context.rate("form", FORM_RATE))
    form = rng.integers(0, len(FORMS), len(starts))
    begun = pages.start_ms[starts] + (pages.dwell_ms[starts] * 0.4).astype(np.int64)
    ended = pages.start_ms[starts] + (pages.dwell_ms[starts] * 0.9).astype(np.int64)
    rows.add("form_start", starts, begun, None, texts.form + form)
    sent = rng.random(len(starts)) < 0.6
    rows.add("form_submit", starts[sent], ended[sent], None, texts.form + form[sent])
    rows.add("form_abandon", starts[~sent], ended[~sent], None, texts.form_abandon + form[~sent])


def add_searches(context: PageContext, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator) -> None:
    """Searches that lead away from a page, for words of what is read next or of the page itself."""
    pages = context.pages
    where = np.flatnonzero(rng.random(len(pages)) < context.rate("search", SEARCH_RATE))
    item = pages.item[where]
    query = (context.items.topic[item] * 3 + context.items.language[item]) * 4 + rng.integers(0, 4, len(where))
    moment = pages.start_ms[where] + (pages.dwell_ms[where] * 0.95).astype(np.int64)
    rows.add("search", where, moment, None, texts.search + query, item=-1)


def add_reactions(
    context: PageContext, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator
) -> None:
    """Likes and their kin. Liking goes with the match of item and user, rejection against it."""
    pages = context.pages
    n = len(pages)
    fondness = np.clip(pages.match / 3.0, 0.2, 1.6)
    for event_type, (habit, usual) in REACTION_RATES.items():
        rejects = event_type in ("dislike", "not_interested")
        rate = context.rate(habit, usual) * ((1.8 - fondness) if rejects else fondness)
        where = np.flatnonzero(rng.random(n) < rate)
        k = len(where)
        value = None
        if event_type == "rating":
            value = np.clip(np.round(2.2 + 1.5 * fondness[where] + rng.normal(0, 0.8, k)), 1, 5)
        texts_of = {
            "share": texts.share + rng.integers(0, 4, k),
            "comment": texts.comment + rng.integers(0, 20, k),
            "follow": texts.follow + context.items.topic[pages.item[where]],
        }
        properties = texts_of.get(event_type, np.full(k, texts.surface))
        moment = pages.start_ms[where] + (pages.dwell_ms[where] * 0.85).astype(np.int64)
        rows.add(event_type, where, moment, value, properties)


def add_price_hovers(
    context: PageContext, where: I64, rows: RowCollector, texts: PropertyTexts, rng: np.random.Generator
) -> None:
    """Hovers over the price on the pages `where`."""
    milliseconds = np.floor(np.clip(np.exp(rng.normal(7.0, 0.5, len(where))), 200, 20_000))
    rows.add("hover", where, _moment(context.pages, where, rng), milliseconds, texts.hover + PRICE + 0 * where)


def add_element_clicks(
    context: PageContext,
    where: I64,
    element: str,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> I64:
    """Click on an element of the pages `where`, in the first half of their dwell; returns when, Unix ms."""
    moment = _moment(context.pages, where, rng)
    code = texts.click + CLICK_TARGETS.index(element) * POSITIONS
    rows.add("click", where, moment, None, np.full(len(where), code))
    return moment


def _moment(pages: Pages, where: I64, rng: np.random.Generator) -> I64:
    """A random time in the first half of each page's dwell."""
    return np.asarray(
        pages.start_ms[where] + (pages.dwell_ms[where] * rng.uniform(0.1, 0.5, len(where))).astype(np.int64)
    )
