"""The planted personas: who likes what, when, on which device, and with which habits.

These tables are the truth that segmentation has to find again; how far the personas stand apart is set by
`blend` and `interest_concentration` in the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.arrays import F64
from ml.errors import InvalidInputError
from ml.sources.simulator.places import CHANNELS, DEVICE_TYPES
from ml.sources.simulator.topics import CATEGORIES, CATEGORY_NAMES, TOPICS

DAYPARTS: tuple[str, ...] = ("morning", "afternoon", "evening", "night")
DAYPART_HOURS: tuple[tuple[int, int], ...] = ((5, 12), (12, 17), (17, 22), (22, 5))

HABITS: tuple[str, ...] = (
    "dwell", "scroll", "hover", "cursor", "video", "form", "search",
    "like", "bookmark", "share", "comment", "cart", "gallery",
)  # fmt: skip


@dataclass(frozen=True)
class Persona:
    """An archetype. Weights need not add up to one; a habit that is not named is 1, the site's usual rate."""

    name: str
    categories: Mapping[str, float]
    dayparts: Mapping[str, float]
    devices: Mapping[str, float]
    channels: Mapping[str, float]
    price_level: float
    frequent: float
    habits: Mapping[str, float] = field(default_factory=dict)


PERSONAS: tuple[Persona, ...] = (
    Persona(
        "commuter",
        {"world": 0.50, "business": 0.30, "health": 0.06},
        {"morning": 0.95, "evening": 0.05},
        {"mobile": 0.94, "desktop": 0.06},
        {"direct": 0.6, "search": 0.2, "social": 0.2},
        1.0,
        1.3,
        {"dwell": 0.55, "scroll": 0.55, "hover": 0.3, "cursor": 0.3, "video": 0.5, "cart": 0.5, "share": 1.6},
    ),
    Persona(
        "sports_fan",
        {"sport": 0.62, "outdoor": 0.14, "world": 0.06},
        {"evening": 0.85, "night": 0.15},
        {"mobile": 0.55, "tv": 0.40, "tablet": 0.05},
        {"social": 0.5, "direct": 0.4, "referral": 0.1},
        1.1,
        1.2,
        {"video": 3.2, "like": 2.5, "comment": 1.8, "dwell": 0.9, "scroll": 0.7, "form": 0.4, "cart": 0.7},
    ),
    Persona(
        "deal_hunter",
        {"fashion": 0.34, "electronics": 0.26, "home": 0.22},
        {"afternoon": 0.95, "evening": 0.05},
        {"desktop": 0.75, "mobile": 0.25},
        {"email": 0.5, "paid": 0.3, "search": 0.2},
        0.6,
        0.9,
        {"search": 2.6, "hover": 2.4, "cart": 1.5, "gallery": 1.6, "dwell": 0.75, "form": 0.7, "video": 0.4},
    ),
    Persona(
        "home_cook",
        {"food": 0.56, "health": 0.20, "home": 0.08},
        {"afternoon": 0.85, "morning": 0.15},
        {"tablet": 0.82, "mobile": 0.18},
        {"search": 0.6, "social": 0.2, "email": 0.2},
        0.9,
        0.9,
        {"bookmark": 3.2, "form": 2.6, "scroll": 1.35, "dwell": 1.3, "video": 1.3, "cursor": 0.4, "hover": 0.5},
    ),
    Persona(
        "tinkerer",
        {"technology": 0.54, "electronics": 0.20, "business": 0.10},
        {"evening": 0.7, "night": 0.3},
        {"desktop": 0.95, "mobile": 0.05},
        {"search": 0.4, "referral": 0.4, "direct": 0.2},
        1.8,
        1.0,
        {"cursor": 2.4, "comment": 3.0, "scroll": 1.5, "dwell": 1.7, "hover": 1.5, "search": 1.4, "form": 1.3},
    ),
    Persona(
        "culture_lover",
        {"culture": 0.52, "travel": 0.30},
        {"morning": 0.9, "afternoon": 0.1},
        {"desktop": 0.45, "tablet": 0.55},
        {"email": 0.4, "direct": 0.4, "referral": 0.2},
        1.5,
        0.9,
        {"share": 3.0, "bookmark": 1.6, "dwell": 2.1, "scroll": 1.2, "video": 1.6, "gallery": 1.3, "search": 0.6},
    ),
    Persona(
        "globetrotter",
        {"travel": 0.58, "outdoor": 0.22},
        {"night": 0.3, "evening": 0.7},
        {"mobile": 0.7, "tablet": 0.3},
        {"paid": 0.5, "social": 0.5},
        1.6,
        0.7,
        {"search": 2.0, "gallery": 1.8, "bookmark": 2.2, "video": 1.2, "comment": 0.4},
    ),
    Persona(
        "wellness_seeker",
        {"health": 0.60, "outdoor": 0.12, "food": 0.10},
        {"morning": 0.8, "evening": 0.2},
        {"mobile": 0.6, "tablet": 0.4},
        {"social": 0.6, "search": 0.4},
        1.2,
        1.0,
        {"video": 2.4, "form": 2.0, "like": 2.0, "hover": 0.4, "scroll": 0.9},
    ),
)


@dataclass(frozen=True)
class PersonaTables:
    """The first `k` personas as arrays: one row a persona, rows of shares add up to 1.

    interest (k, topics), dayparts (k, 4), devices (k, device types), channels (k, channels), habits (k,
    habits), price_level (k,), frequent (k,): relative chance of coming daily.
    """

    names: tuple[str, ...]
    interest: F64
    dayparts: F64
    devices: F64
    channels: F64
    habits: F64
    price_level: F64
    frequent: F64


def persona_tables(count: int) -> PersonaTables:
    """The first `count` personas.

    Raises:
        ValueError: `count` is not between 2 and the number of personas that are described.
    """
    if not 2 <= count <= len(PERSONAS):
        raise InvalidInputError(
            f"personas: {count} is outside 2 to {len(PERSONAS)}, which are described in personas.py"
        )
    chosen = PERSONAS[:count]
    categories = _shares([p.categories for p in chosen], CATEGORY_NAMES, rest=1.0 / len(CATEGORIES))
    per_category = np.bincount([topic.category for topic in TOPICS], minlength=len(CATEGORIES))
    topic_category = np.array([topic.category for topic in TOPICS])
    return PersonaTables(
        names=tuple(p.name for p in chosen),
        interest=categories[:, topic_category] / per_category[topic_category],
        dayparts=_shares([p.dayparts for p in chosen], DAYPARTS),
        devices=_shares([p.devices for p in chosen], DEVICE_TYPES),
        channels=_shares([p.channels for p in chosen], CHANNELS),
        habits=np.array([[p.habits.get(name, 1.0) for name in HABITS] for p in chosen]),
        price_level=np.array([p.price_level for p in chosen]),
        frequent=np.array([p.frequent for p in chosen]),
    )


def _shares(weights: list[Mapping[str, float]], names: tuple[str, ...], rest: float = 0.0) -> F64:
    """Rows of shares; what the weights leave to 1 is spread evenly when `rest` is positive."""
    table = np.array([[row.get(name, 0.0) for name in names] for row in weights])
    if rest:
        table += np.maximum(1.0 - table.sum(axis=1, keepdims=True), 0.0) * rest
    return np.asarray(table / table.sum(axis=1, keepdims=True))
