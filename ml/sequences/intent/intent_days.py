"""What a model of intent said of the visits of each day, and what came of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from scipy.special import entr
from scipy.stats import norm

from ml.arrays import F64, I64, Bools
from ml.evaluation.recorded_days import add_days
from ml.sequences.intent.examples import LENGTHS, TARGETS, Examples
from ml.sequences.intent.measures import LARGEST, SMALLEST, calibration_error, calibration_error_floor
from ml.sequences.intent.model import IntentModel, IntentStudy

FEWEST_VISITS = 30  # of a day; fewer say nothing about it
SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("read_until", pa.timestamp("us")),
        pa.field("is_held_out", pa.bool_()),
        pa.field("target", pa.string()),
        pa.field("goal", pa.string()),
        pa.field("actions", pa.int64()),
        pa.field("visits", pa.int64()),
        pa.field("people", pa.int64()),
        pa.field("mean_chance", pa.float64()),
        pa.field("share", pa.float64()),
        pa.field("difference", pa.float64()),
        pa.field("difference_low", pa.float64()),
        pa.field("difference_high", pa.float64()),
        pa.field("calibration_error", pa.float64()),
        pa.field("calibration_error_floor", pa.float64()),
        pa.field("brier", pa.float64()),
        pa.field("base_brier", pa.float64()),
        pa.field("log_loss", pa.float64()),
        pa.field("base_log_loss", pa.float64()),
    ]
)
_REACH = float(norm.ppf(0.975))
_MICROSECOND = dt.timedelta(microseconds=1)


def judge_later_visits(model: IntentModel, examples: Examples, zone: ZoneInfo, pause: dt.timedelta) -> pa.Table:
    """Judge a model by the visits that began after all that its training read.

    Args:
        model: A model that knows until when it read.
        examples: Visits with the signals of the model, and the labels of its goal.
        zone: Time zone of the site, whose dates count.
        pause: Silence that ends a visit. One that may still go on is not judged.

    Returns:
        A row of SCHEMA for each date, target and number of actions with enough visits.

    Raises:
        ValueError: The model does not know until when it read.
    """
    if model.read_until is None:
        raise ValueError("the model does not say until when its training read: train it again")
    since = (model.read_until - dt.datetime(1970, 1, 1)) // _MICROSECOND
    rows = np.isin(examples.lengths, LENGTHS) & (examples.started_at > since) & _is_over(examples, pause)
    later = examples.take(rows)
    return _judge(model, later, model.tell_all(later.features), zone, is_held_out=False)


def judge_held_visits(study: IntentStudy, zone: ZoneInfo, pause: dt.timedelta) -> pa.Table:
    """Judge a model by the visits that its training held out, as `judge_later_visits` does by later ones."""
    rows = _is_over(study.tested, pause)
    return _judge(study.model, study.tested.take(rows), study.chances[rows], zone, is_held_out=True)


def merge_intent_days(before: pa.Table | None, tables: Sequence[pa.Table]) -> pa.Table:
    """Put days beside those of earlier runs; a later table replaces what an earlier one said of the same.

    Held-out visits say what the newest training was worth on a date, whichever it was; later ones are judged apart
    for each model.

    Args:
        before: SCHEMA, of earlier runs; None for none.
        tables: SCHEMA each.

    Returns:
        SCHEMA by date, target, number of actions and model, of the newest days.
    """

    def subject(row: Mapping[str, Any]) -> tuple[object, ...]:
        model = None if row["is_held_out"] else row["read_until"]
        return row["date"], row["target"], row["actions"], model

    return add_days(before, tables, SCHEMA, subject, ("date", "target", "actions", "read_until", "is_held_out"))


def _judge(model: IntentModel, judged: Examples, chances: F64, zone: ZoneInfo, *, is_held_out: bool) -> pa.Table:
    days = np.array([dt.datetime.fromtimestamp(at, zone).toordinal() for at in judged.started_at / 1e6])
    rows = []
    for day in np.unique(days).tolist():
        of_day = np.flatnonzero(days == day)
        for number, target in enumerate(TARGETS):
            labels, of_target = judged.labels[of_day, number], chances[of_day, number]
            is_counted = ~np.isnan(labels) & ~np.isnan(of_target)
            for actions in LENGTHS:
                counted = is_counted & (judged.lengths[of_day] == actions)
                if counted.sum() >= FEWEST_VISITS:
                    people = judged.people[of_day[counted]]
                    row = {
                        "date": dt.date.fromordinal(day),
                        "read_until": model.read_until,
                        "is_held_out": is_held_out,
                        "target": target,
                        "goal": model.goal,
                        "actions": actions,
                    }
                    rows.append(row | _measure(labels[counted], of_target[counted], people))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _measure(labels: F64, chances: F64, people: I64) -> dict[str, float]:
    """Measure chances (n,) against labels (n,) of 0 or 1, and against a forecast that says their share of all.

    The interval of the difference takes the larger of two variances: that which the chances themselves let expect
    of visits, and that of the people, whose visits may be alike.
    """
    n, share, mean_chance = len(labels), float(labels.mean()), float(chances.mean())
    difference = share - mean_chance
    sums = np.bincount(np.unique(people, return_inverse=True)[1], weights=labels - chances - difference)
    reach = _REACH * sqrt(max((chances * (1 - chances)).sum(), (sums**2).sum())) / n
    clipped = np.clip(chances, SMALLEST, LARGEST)
    return {
        "visits": n,
        "people": len(sums),
        "mean_chance": mean_chance,
        "share": share,
        "difference": difference,
        "difference_low": max(difference - reach, -mean_chance),
        "difference_high": min(difference + reach, 1 - mean_chance),
        "calibration_error": calibration_error(labels, chances),
        "calibration_error_floor": calibration_error_floor(chances),
        "brier": float(((labels - chances) ** 2).mean()),
        "base_brier": share * (1 - share),
        "log_loss": float(-np.log(np.where(labels > 0, clipped, 1 - clipped)).mean()),
        "base_log_loss": float(entr(share) + entr(1 - share)),
    }


def _is_over(examples: Examples, pause: dt.timedelta) -> Bools:
    return np.asarray(examples.ended_at + pause // _MICROSECOND <= examples.read_until)
