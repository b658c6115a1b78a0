"""Weeks of a made-up site: people, items and what they did, drawn from shares that a test chooses."""

import datetime as dt

import numpy as np
import pyarrow as pa

from ml.monitoring.inputs.windows import INTERACTIONS, ITEMS, USERS, InputWindow

END = dt.datetime(2026, 6, 1)
FIRST = END - dt.timedelta(days=200)
COUNTRIES = {"DE": 0.5, "FR": 0.3, "IT": 0.15, "MT": 0.05}


def week(
    rng: np.random.Generator,
    people: int = 2000,
    *,
    end: dt.datetime = END,
    countries: dict[str, float] | None = None,
    since_day: int = 0,
    missing: float = 0.0,
    spend: float = 1.0,
) -> InputWindow:
    """One week; from `since_day` on, countries and missing devices are as given, before it as ever."""
    day = rng.integers(0, 7, people)
    is_changed = day >= since_day
    usual = rng.choice(list(COUNTRIES), people, p=list(COUNTRIES.values()))
    now = countries or COUNTRIES
    country = np.where(is_changed, rng.choice(list(now), people, p=list(now.values())), usual)
    devices = np.where(rng.random(people) < 0.6, "mobile", "desktop").astype(object)
    devices[(rng.random(people) < missing) & is_changed] = None
    users = pa.table(
        {
            "owner": pa.array([f"u{rng.integers(10**12)}" for _ in range(people)], pa.string()),
            "day": day,
            "first_seen_at": pa.array([end - dt.timedelta(days=1)] * people, pa.timestamp("us")),
            "country": country,
            "device_type": pa.array(devices.tolist(), pa.string()),
            "spend": rng.lognormal(0, 1, people) * spend,
        }
    )
    tags = [
        list(rng.choice(["sport", "food", "art", "law"], rng.integers(0, 3), replace=False)) for _ in range(60)
    ]
    items = pa.table(
        {
            "owner": [f"i{place}" for place in range(60)],
            "day": rng.integers(0, 7, 60),
            "tags": pa.array(tags, pa.list_(pa.string())),
        }
    )
    acts = 3 * people
    interactions = pa.table(
        {
            "owner": users["owner"].combine_chunks().take(pa.array(rng.integers(0, max(people, 1), acts))),
            "day": rng.integers(0, 7, acts),
            "item_id": pa.array([f"i{place}" for place in rng.integers(0, 60, acts)], pa.string()),
            "strength": rng.gamma(2, 1, acts),
            "is_negative": rng.random(acts) < 0.05,
        }
    )
    return InputWindow(end, FIRST, {USERS: users, ITEMS: items, INTERACTIONS: interactions})


def weeks_before(rng: np.random.Generator, people: int = 2000, count: int = 4) -> list[InputWindow]:
    """The weeks that a model was trained on."""
    return [week(rng, people, end=END - dt.timedelta(days=7 * (number + 1))) for number in range(count)]
