"""Links between pages: the click that leads on, and recommendation slots with answers and impressions."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from ml.arrays import Bools
from ml.sources.simulator.browsing import Pages
from ml.sources.simulator.interactions import PageContext
from ml.sources.simulator.properties import POSITIONS, SLOTS, PropertyTexts
from ml.sources.simulator.randomness import Floats, Ints
from ml.sources.simulator.rows import RowCollector

CLICK_RECORDED = 0.95
MODEL_VERSION = "simulator-1"
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


def slot_of(pages: Pages) -> Ints:
    """(p,) place in SLOTS of the slot of each page: every session has one layout."""
    return pages.session % len(SLOTS)


def answers(pages: Pages, where: Ints, propensities: Floats, item_ids: pa.Array) -> list[str]:
    """Texts of the `served` events of the pages `where`: what was shown, in which order, with which chance."""
    k = pages.shown.shape[1]
    names = np.array(item_ids.take(pa.array(pages.shown[where].ravel())).to_pylist(), dtype=object).reshape(-1, k)
    ranks = list(range(1, k + 1))
    rounded = np.round(propensities, 7).tolist()
    slots = slot_of(pages)[where].tolist()
    return [
        orjson.dumps(
            {
                "slot": SLOTS[slot],
                "model_version": MODEL_VERSION,
                "items": items,
                "ranks": ranks,
                "propensities": chances,
            }
        ).decode()
        for slot, items, chances in zip(slots, names.tolist(), rounded, strict=True)
    ]
