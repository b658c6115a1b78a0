"""Links between pages: the click that leads on, and slots with answers, impressions and clicks.

A recommendation slot is filled by two rankers: one picks from the front page, the other from what the user reads.
Where each of them has one of every two places, in an order that a coin decides, the list is what a team draft of
the two gives, and is logged as such: the front page's picks are the champion's, the others are the challenger's.
"""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from ml.arrays import F64, I64, Bools
from ml.sources.simulator.browsing import HOME_DWELL_MS, Pages
from ml.sources.simulator.contents import CLICK_CHANCES, CONTENTS, draw_contents
from ml.sources.simulator.interactions import PageContext
from ml.sources.simulator.properties import MODEL_VERSION, POSITIONS, SLOTS, PropertyTexts
from ml.sources.simulator.rows import RowCollector

CLICK_RECORDED = 0.95
CHALLENGER_VERSION = "simulator-2"
TEAMS = ("challenger", "champion")
SEEN_BY_RANK = (0.95, 0.85, 0.7, 0.55, 0.45, 0.4, 0.35, 0.3)


def add_links(
    context: PageContext,
    is_slot: Bools,
    answers: list[str],
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> int:
    """Clicks on shown items, and what is logged where the shown items are a recommendation.

    `is_slot` (p,) marks the pages with such a slot; `answers` are the texts of their `served` events, in
    order, whose codes begin at `len(texts)`. Returns how many recommendations there are; events name them 0,
    1, …
    """
    pages = context.pages
    n = len(pages)
    slot_pages = np.flatnonzero(is_slot)
    number = np.full(n, -1)
    number[slot_pages] = np.arange(len(slot_pages))
    slot_name = slot_of(pages)
    opened = pages.start_ms[slot_pages]
    rows.add(
        "served",
        slot_pages,
        opened,
        None,
        len(texts) + number[slot_pages],
        item=-1,
        recommendation=number[slot_pages],
    )
    clicked = np.flatnonzero(
        (pages.clicked >= 0) & ((rng.random(n) < CLICK_RECORDED) | is_slot) & context.is_human
    )
    rank = pages.clicked[clicked]
    plain = texts.click + np.minimum(rank, POSITIONS - 1)
    in_slot = texts.slot_click + slot_name[clicked] * POSITIONS + rank
    rows.add(
        "click",
        clicked,
        pages.start_ms[clicked] + pages.dwell_ms[clicked],
        None,
        np.where(is_slot[clicked], in_slot, plain),
        item=pages.shown[clicked, rank],
        recommendation=number[clicked],
    )
    for place in range(pages.shown.shape[1]):
        seen = (rng.random(len(slot_pages)) < SEEN_BY_RANK[place]) | (pages.clicked[slot_pages] == place)
        where = slot_pages[seen]
        rows.add(
            "impression",
            where,
            pages.start_ms[where] + np.minimum(600 + 400 * place, pages.dwell_ms[where] // 2),
            None,
            texts.slot + slot_name[where] * POSITIONS + place,
            item=pages.shown[where, place],
            recommendation=number[where],
        )
    return len(answers)


def slot_of(pages: Pages) -> I64:
    """(p,) place in SLOTS of the slot of each page: every session has one layout."""
    return pages.session % len(SLOTS)


def is_drafted(pages: Pages, where: I64) -> Bools:
    """(where,) whether the list is a team draft: each ranker has one of every two places, no item repeats."""
    shown, from_front = pages.shown[where], pages.from_front[where]
    k = shown.shape[1]
    pairs = from_front[:, : k - k % 2].reshape(len(where), k // 2, 2)
    in_order = np.sort(shown, axis=1)
    is_repeated = (in_order[:, 1:] == in_order[:, :-1]).any(axis=1)
    return np.asarray((pairs.sum(axis=2) == 1).all(axis=1) & (2 * from_front.sum(axis=1) == k) & ~is_repeated)


def answers(pages: Pages, where: I64, propensities: F64, item_ids: pa.Array) -> list[str]:
    """Texts of the `served` events of the pages `where`: what was shown, in which order, and by whom.

    A list of one ranker says the chance of each item; a drafted one says whose pick each item is.
    """
    k = pages.shown.shape[1]
    names = np.array(item_ids.take(pa.array(pages.shown[where].ravel())).to_pylist(), dtype=object).reshape(-1, k)
    columns = (
        slot_of(pages)[where].tolist(),
        names.tolist(),
        np.round(propensities, 7).tolist(),
        is_drafted(pages, where).tolist(),
        pages.from_front[where].astype(np.int64).tolist(),
    )
    texts = []
    for slot, items, chances, drafted, teams in zip(*columns, strict=True):
        answer = {
            "slot": SLOTS[slot],
            "model_version": MODEL_VERSION,
            "role": "interleaved" if drafted else "champion",
            "items": items,
            "ranks": list(range(1, k + 1)),
            "propensities": [] if drafted else chances,
        }
        if drafted:
            answer |= {
                "teams": [TEAMS[team] for team in teams],
                "challenger_model_version": CHALLENGER_VERSION,
            }
        texts.append(orjson.dumps(answer).decode())
    return texts


def add_hero(
    home_view: I64,
    opened_ms: I64,
    is_phone: Bools,
    first_recommendation: int,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> None:
    """The decision about the hero of each home page (n,), drawn with known chances, and the clicks that it earns.

    The decisions are the recommendations `first_recommendation`, `first_recommendation + 1`, … of the block.
    """
    n = len(home_view)
    device = np.where(is_phone, 0, 1)
    content = draw_contents(device, rng.random(n))
    decision = first_recommendation + np.arange(n)
    served = texts.hero_served + device * len(CONTENTS) + content
    rows.add("served", home_view, opened_ms + 20, None, served, item=-1, recommendation=decision)
    clicked = np.flatnonzero(rng.random(n) < CLICK_CHANCES[device, content])
    moment = opened_ms[clicked] + rng.integers(1_000, HOME_DWELL_MS - 500, len(clicked))
    rows.add(
        "click",
        home_view[clicked],
        moment,
        None,
        texts.hero_click + content[clicked],
        item=-1,
        recommendation=decision[clicked],
    )
