"""Links between pages: the click that leads on, and the recommendation slots with their answers and impressions."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from ml.sources.simulator.interactions import PageContext
from ml.sources.simulator.properties import POSITIONS, SLOTS, PropertyTexts
from ml.sources.simulator.randomness import Ints
from ml.sources.simulator.rows import RowCollector

CLICK_RECORDED = 0.95
MODEL_VERSION = "simulator-1"
SEEN_BY_RANK = (0.95, 0.85, 0.7, 0.55, 0.45, 0.4, 0.35, 0.3)


def add_links(
    context: PageContext,
    slot_share: float,
    item_ids: pa.Array,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> tuple[int, list[str]]:
    """Clicks on shown items; on some pages the shown items are a logged recommendation.

    Returns:
        How many recommendations there are (events name them 0, 1, …), and the texts of their `served` events, whose
        codes begin at `len(texts)`.
    """
    pages = context.pages
    n = len(pages)
    is_slot = (rng.random(n) < slot_share) & context.is_human
    slot_pages = np.flatnonzero(is_slot)
    number = np.full(n, -1)
    number[slot_pages] = np.arange(len(slot_pages))
    slot_name = rng.integers(0, len(SLOTS), n)
    answers = _answers(pages.shown[slot_pages], slot_name[slot_pages], item_ids)
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
    return len(slot_pages), answers


def _answers(shown: Ints, slot: Ints, item_ids: pa.Array) -> list[str]:
    """Texts of the `served` events: what was shown, in which order."""
    k = shown.shape[1]
    names = np.array(item_ids.take(pa.array(shown.ravel())).to_pylist(), dtype=object).reshape(-1, k)
    ranks = list(range(1, k + 1))
    return [
        orjson.dumps(
            {"slot": SLOTS[place], "model_version": MODEL_VERSION, "items": list(items), "ranks": ranks}
        ).decode()
        for place, items in zip(slot, names, strict=True)
    ]
