"""From the marts `event_hours`, `answer_hours` and `category_days` to the series of a site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml.monitoring.series import HOURS, Series, Subject, WatchedSite
from ml.settings.operation import MonitoringSettings

EVERYTHING = "everything"
FILLED = 0.9  # a field is watched on the event types that usually have it,
SELDOM = 0.05  # or on page views if they have it at least so often and bring more of its values
PAGE_VIEW = "page_view"
FIELD_PREFIX = "with_"
IDENTIFIED = "known"
CLICKED, OF_NEWEST = "clicked answers", "clicked answers of the newest model"


def watched_site(
    event_hours: pa.Table, answer_hours: pa.Table, category_days: pa.Table, settings: MonitoringSettings
) -> WatchedSite:
    """Build all series that are large enough, over the whole days and hours from the first event to the last.

    The columns are those of the marts. A last day that is not over is left out of daily series, and in hourly ones
    its later hours say nothing.
    """
    # Strings as codes: the hours of a large site are a million rows, and comparing texts takes most of the time.
    events, answers, views = (
        table.to_pandas(strings_to_categorical=True) for table in (event_hours, answer_hours, category_days)
    )
    if events.empty:
        return WatchedSite(pd.Timestamp(0).date(), [], {})
    # From a Monday, so that runs on later days learn anew on the same dates.
    first = events["hour"].min().normalize() - pd.Timedelta(days=events["hour"].min().weekday())
    last = events["hour"].max().normalize()
    days = (last - first).days + 1
    is_over = events["hour"].max().hour == HOURS - 1
    grid = _Grid(first, days, days if is_over else days - 1)
    candidates = [*_fields(events, grid), *_volumes(events, grid), *_audience(events, grid)]
    candidates += [*_quality(answers, grid), *_tastes(views, grid)]
    least = settings.least_trials_a_day
    series = [candidate for candidate in candidates if _usual_size(candidate) >= least]
    of_model = answers[answers["model_version"] != ""]
    seen_first = of_model.groupby("model_version", observed=True)["hour"].min()
    versions = {str(name): grid.day(hour) for name, hour in seen_first.items()}
    return WatchedSite(first.date(), series, versions)


def _usual_size(series: Series) -> float:
    """What a series is taken of on a usual day."""
    active = series.size[series.size > 0]
    return float(np.median(active)) if len(active) else 0.0


class _Grid:
    """Places rows of tables on days and hours."""

    def __init__(self, first: pd.Timestamp, days: int, whole_days: int) -> None:
        self.first = first
        self.days = days
        self.whole_days = whole_days

    def day(self, hour: pd.Timestamp) -> float:
        return float((hour - self.first) / pd.Timedelta(days=1))

    def hourly(self, hours: pd.Series, values: pd.Series) -> np.ndarray:
        """(days, 24) sums of the values."""
        return self.sums(self.places(hours), values.to_numpy())

    def places(self, hours: pd.Series) -> np.ndarray:
        """Numbers of the hours, from the first day's midnight."""
        return np.asarray((hours.to_numpy() - self.first.to_datetime64()) // np.timedelta64(1, "h"))

    def sums(self, places: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(days, 24) sums of the values at numbered hours; hours outside of the days are left out.

        An answer may lie in the hour before the first one that has whole events, or after the last event.
        """
        hours = self.days * HOURS
        inside = (places >= 0) & (places < hours)
        return np.bincount(places[inside], weights=values[inside], minlength=hours).reshape(self.days, HOURS)

    def by_day(self, hours: pd.Series, values: pd.Series) -> np.ndarray:
        """(whole days, 1) sums of the values of hours."""
        return np.asarray(self.hourly(hours, values).sum(axis=1, keepdims=True)[: self.whole_days])

    def daily(self, dates: pd.Series, values: pd.Series) -> np.ndarray:
        """(whole days, 1) sums of the values of dates."""
        place = (pd.to_datetime(dates) - self.first).dt.days.to_numpy()
        inside = (place >= 0) & (place < self.whole_days)
        sums = np.bincount(place[inside], weights=values.to_numpy()[inside], minlength=self.whole_days)
        return np.asarray(sums)[:, None]


def _fields(events: pd.DataFrame, grid: _Grid) -> Iterator[Series]:
    """How many events have a field, for all and by slice, on the event types that tell most about it."""
    whole = events[events["dimension"] == EVERYTHING]
    begin = whole["hour"].min()
    early = (
        whole[whole["hour"] < begin + (whole["hour"].max() - begin) / 2]
        .groupby("event_type", observed=True)
        .sum(numeric_only=True)
    )
    place = grid.places(events["hour"])
    types, type_of = events["event_type"].cat.categories, events["event_type"].cat.codes.to_numpy()
    # Trackers differ by browser and device. In a country, a few people who never log in would look like a loss.
    by_slice = events[["dimension", "slice"]].groupby(["dimension", "slice"], observed=True)
    slices = {(str(dimension), str(value)): rows.index.to_numpy() for (dimension, value), rows in by_slice}
    of_what = [events[name].to_numpy(dtype=float) for name in ("events", "devices")]
    for column in [name for name in events.columns if name.startswith(FIELD_PREFIX)]:
        field = column.removeprefix(FIELD_PREFIX)
        share = early[column] / early["events"]
        always = share.index[share >= FILLED]
        on_views = early[column].get(PAGE_VIEW, 0) if share.get(PAGE_VIEW, 0.0) >= SELDOM else 0
        having = always if early[column][always].sum() >= on_views else [PAGE_VIEW]
        is_used = np.isin(types, having)[type_of]
        filled = events[column].to_numpy(dtype=float)
        for (dimension, value), rows in slices.items():
            if dimension in (field, "country"):
                continue
            used = rows[is_used[rows]]
            if len(used):
                counts, trials, people = (grid.sums(place[used], values[used]) for values in (filled, *of_what))
                yield Series(Subject.FIELD, field, dimension, value, counts, trials, people)


def _volumes(events: pd.DataFrame, grid: _Grid) -> Iterator[Series]:
    """Page views and purchases."""
    whole = events[events["dimension"] == EVERYTHING]
    for event_type in (PAGE_VIEW, "purchase"):
        rows = whole[whole["event_type"] == event_type]
        counts, people = (grid.by_day(rows["hour"], rows[name]) for name in ("events", "devices"))
        yield Series(Subject.VOLUME, event_type, EVERYTHING, "", counts, np.zeros_like(counts), people)


def _audience(events: pd.DataFrame, grid: _Grid) -> Iterator[Series]:
    """Shares of devices and countries among the page views of a day."""
    views = events[events["event_type"] == PAGE_VIEW]
    whole = views[views["dimension"] == EVERYTHING]
    trials, people = (grid.by_day(whole["hour"], whole[name]) for name in ("events", "devices"))
    for dimension in ("device_type", "country"):
        for value, rows in views[views["dimension"] == dimension].groupby("slice", observed=True):
            counts = grid.by_day(rows["hour"], rows["events"])
            yield Series(Subject.AUDIENCE, "page views", dimension, str(value), counts, trials, people)


def _quality(answers: pd.DataFrame, grid: _Grid) -> Iterator[Series]:
    """Clicked answers: of all slots together, of those that the newest model fills, and of known visitors by slot.

    The first two add up what the slots say, of known visitors and of others. The hours in which a model version
    first answered are likely onsets.
    """
    of_models = answers[answers["model_version"] != ""]
    firsts = of_models.groupby("model_version", observed=True)["hour"].min().sort_values()
    onsets = grid.hourly(firsts, pd.Series(np.ones(len(firsts)))) > 0
    newest = np.searchsorted(firsts.to_numpy(), answers["hour"].to_numpy(), side="right") - 1
    names = np.array([*firsts.index, None], dtype=object)  # no version yet: place -1
    is_newest = answers["model_version"].to_numpy(dtype=object) == names[newest]

    def series(rows: pd.DataFrame, measure: str, dimension: str, value: str, **more: Any) -> Series:
        counts, trials = (grid.hourly(rows["hour"], rows[name]) for name in ("clicked_answers", "answers"))
        return Series(Subject.QUALITY, measure, dimension, value, counts, trials, likely_onsets=onsets, **more)

    slots: list[Series] = []
    parts: dict[str, list[Series]] = {CLICKED: [], OF_NEWEST: []}
    for (slot, audience), rows in answers.groupby(["slot", "audience"], observed=True):
        part = series(rows, CLICKED, "slot", str(slot), may_surge=audience != IDENTIFIED)
        if audience == IDENTIFIED:
            slots.append(part)
        parts[CLICKED].append(part)
        of_newest = rows[is_newest[answers.index.get_indexer(rows.index)]]
        parts[OF_NEWEST].append(series(of_newest, OF_NEWEST, "slot", str(slot), usual_as=part))
    for measure, of_slots in parts.items():
        if of_slots:
            counts, trials = (
                np.sum([getattr(part, name) for part in of_slots], axis=0) for name in ("counts", "trials")
            )
            yield Series(
                Subject.QUALITY,
                measure,
                EVERYTHING,
                "",
                counts,
                trials,
                parts=tuple(of_slots),
                likely_onsets=onsets,
            )
    yield from slots


def _tastes(views: pd.DataFrame, grid: _Grid) -> Iterator[Series]:
    """Of the views of people who came back: shares of the categories, and of categories that they knew."""
    returning = views[views["audience"] == "returning"]
    trials, familiar, people = (
        grid.daily(returning["date"], returning[name]) for name in ("views", "familiar_views", "viewers")
    )
    yield Series(Subject.TASTE, "views of familiar categories", EVERYTHING, "", familiar, trials, people)
    for category, rows in returning.groupby("category", observed=True):
        counts = grid.daily(rows["date"], rows["views"])
        yield Series(Subject.TASTE, "views", "category", str(category), counts, trials, people)
