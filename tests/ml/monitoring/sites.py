"""Small watched sites, made of chances: enough days to learn from, and a change on day 45."""

import datetime as dt

import numpy as np

from ml.monitoring.series import Series, Subject, WatchedSite

FIRST = dt.date(2026, 3, 2)
DAYS, CHANGE = 60, 45
BROWSERS = {"Chrome": 300, "Safari": 150, "Firefox": 60}
CATEGORIES = {"sport": 0.4, "food": 0.35, "home": 0.25}


def hours(rng, a_day, shares):
    """Trials and counts of (days, 24) with chances (days, 24)."""
    trials = rng.poisson(a_day / 24, (DAYS, 24)).astype(float)
    return rng.binomial(trials.astype(int), shares).astype(float), trials


def fields(rng, lost_on=None, lost=0.0):
    """The field item_id by browser, and over all; from 09:00 of the change it goes missing on one browser."""
    later = (np.arange(DAYS)[:, None] * 24 + np.arange(24)) >= CHANGE * 24 + 9
    whole = np.zeros((2, DAYS, 24))
    series = []
    for browser, a_day in BROWSERS.items():
        shares = np.where(later & (browser == lost_on), 0.98 * (1 - lost), 0.98)
        counted = hours(rng, a_day, shares)
        whole += np.stack(counted)
        series.append(Series(Subject.FIELD, "item_id", "browser", browser, *counted))
    return [*series, Series(Subject.FIELD, "item_id", "everything", "", *whole)]


def tastes(rng, moved=0.0, days=slice(CHANGE, None), a_day=400):
    """Views by category; a part of them moves to the category home on some days."""
    is_moved = np.zeros(DAYS, dtype=bool)
    is_moved[days] = True
    base = np.array(list(CATEGORIES.values()))
    target = (1 - moved) * base + moved * np.array([0.0, 0.0, 1.0])
    counts = np.array([rng.multinomial(a_day, target if changed else base) for changed in is_moved], dtype=float)
    trials = np.full((DAYS, 1), float(a_day))
    return [
        Series(Subject.TASTE, "views", "category", name, counts[:, [place]], trials)
        for place, name in enumerate(CATEGORIES)
    ]


def quality(rng, worse=0.0):
    """Clicked answers; from 09:00 of the change a part of the clicks is lost."""
    later = (np.arange(DAYS)[:, None] * 24 + np.arange(24)) >= CHANGE * 24 + 9
    return [
        Series(
            Subject.QUALITY,
            "clicked answers",
            "everything",
            "",
            *hours(rng, 240, np.where(later, 0.5 * (1 - worse), 0.5)),
        )
    ]


def site(series, versions=None):
    return WatchedSite(FIRST, series, versions or {"simulator-1": 0.0})


def day(number, hour=0):
    return dt.datetime.combine(FIRST, dt.time(), dt.UTC) + dt.timedelta(days=number, hours=hour)
