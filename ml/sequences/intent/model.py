"""The model of intent: three chances from a running visit, learned from visits that are over."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ml.arrays import F32, F64, I64, Bools
from ml.errors import TesseraError
from ml.home import make_folder
from ml.sequences.intent.boosting import BoostingShape, Trees, fit_trees
from ml.sequences.intent.examples import LENGTHS, TARGETS, Examples
from ml.sequences.intent.measures import measure_chances
from ml.sequences.intent.running_visit import FEATURES, RunningVisit
from ml.settings.sequences import Goal

TREES_FILE, DESCRIPTION_FILE = "trees.npz", "intent.json"
CALIBRATED_SHARE, TESTED_SHARE = 0.15, 0.2
FITTED_MOST = 30_000
CALIBRATED_MOST = 20_000
LEAST_FOR_STEPS = 1_000
CURVE_ENDS, CURVE_POINTS = 15.0, 601
LEAST_OF_A_LABEL = 30
"""Visits with and without an outcome, below which no chance of it is learned."""


class IntentFileError(TesseraError, ValueError):
    """A saved model of intent cannot be read; the message says which file and why."""


@dataclass(frozen=True)
class Chance:
    """The chance of one target.

    Attributes:
        trees: Their log-odds.
        curve: The chance by log-odds, linear between points: log-odds, which rise, and chances, (2, points).
    """

    trees: Trees
    curve: F64

    def tell(self, features: F32) -> F64:
        """Return the chance for rows (n, d), (n,)."""
        return np.asarray(np.interp(self.trees.log_odds(features), *self.curve), dtype=np.float64)


@dataclass(frozen=True)
class IntentModel:
    """Tells the chances of a running visit.

    Attributes:
        goal: The event type that converts a visit.
        signals: Signals whose counts follow FEATURES.
        chances: By TARGETS; a target that was too rare to learn is missing.
        read_until: Time of the newest action that the training read, naive UTC; None if it did not write it down.
    """

    goal: Goal
    signals: tuple[str, ...]
    chances: dict[str, Chance]
    read_until: dt.datetime | None = None

    def tell(self, running: RunningVisit, is_product: Callable[[str], bool]) -> dict[str, float]:
        """Return the chances as of the last action; that to convert is left out once the visit converted."""
        features = running.describe(self.signals, is_product)[None, :]
        has_converted = running.counts.get(self.goal, 0) > 0
        return {
            target: float(chance.tell(features)[0])
            for target, chance in self.chances.items()
            if not (target == "convert" and has_converted)
        }

    def tell_all(self, features: F32) -> F64:
        """Return the chances for rows (n, d), (n, 3), NaN for a target that was too rare."""
        chances = np.full((len(features), len(TARGETS)), np.nan)
        for number, target in enumerate(TARGETS):
            if target in self.chances:
                chances[:, number] = self.chances[target].tell(features)
        return chances

    def save(self, folder: Path) -> None:
        """Write the model as plain arrays and JSON."""
        make_folder(folder)
        arrays = {
            name: array
            for target, chance in self.chances.items()
            for name, array in (chance.trees.to_arrays(f"{target}.") | {f"{target}.curve": chance.curve}).items()
        }
        np.savez(folder / TREES_FILE, **arrays)  # type: ignore[arg-type]
        description = {
            "goal": self.goal,
            "features": FEATURES,
            "signals": self.signals,
            "targets": list(self.chances),
            "read_until": self.read_until.isoformat() if self.read_until else None,
        }
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read what `save` wrote.

        Raises:
            IntentFileError: A file is missing or unreadable, or the features are those of another version.
        """
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            features = tuple(description["features"])
            read_until = description.get("read_until")
            with np.load(folder / TREES_FILE, allow_pickle=False) as arrays:
                chances = {
                    target: Chance(Trees.from_arrays(arrays, f"{target}."), arrays[f"{target}.curve"])
                    for target in description["targets"]
                }
        except (OSError, ValueError, KeyError) as error:
            raise IntentFileError(f"{folder}: unreadable: {error}") from error
        if features != FEATURES:
            raise IntentFileError(f"{folder}: learned on other features than this version computes: train again")
        moment = dt.datetime.fromisoformat(read_until) if read_until else None
        return cls(description["goal"], tuple(description["signals"]), chances, moment)


@dataclass(frozen=True)
class IntentStudy:
    """A model with what it was worth on later visits that it did not see.

    Attributes:
        model: The model.
        tested: The examples of those visits.
        chances: Its chances for them, (n, 3).
        measures: As MEASURES.
    """

    model: IntentModel
    tested: Examples
    chances: F64
    measures: pa.Table


def split_in_time(examples: Examples) -> tuple[Bools, Bools, Bools]:
    """Return which examples are to fit, calibrate and test, in this order of time, by the start of visits."""
    starts = np.sort(np.unique(np.stack([examples.started_at, examples.visits], axis=1), axis=0)[:, 0])
    if not len(starts):
        nothing = np.zeros(0, dtype=bool)
        return nothing, nothing, nothing
    to_calibrate = starts[int(len(starts) * (1 - CALIBRATED_SHARE - TESTED_SHARE))]
    to_test = starts[int(len(starts) * (1 - TESTED_SHARE))]
    started_at = examples.started_at
    return started_at < to_calibrate, (started_at >= to_calibrate) & (started_at < to_test), started_at >= to_test


def study_intent(examples: Examples, goal: Goal, seed: int, shape: BoostingShape | None = None) -> IntentStudy:
    """Fit chances to earlier visits, calibrate them on later ones, and measure them on the latest.

    The model that was measured is the one that is served.
    """
    fitted, calibrated, tested = split_in_time(examples)
    chances = {}
    for number, target in enumerate(TARGETS):
        labels = examples.labels[:, number]
        to_fit, to_calibrate = fitted & ~np.isnan(labels), calibrated & ~np.isnan(labels)
        if all(_is_learnable(examples.visits[rows], labels[rows]) for rows in (to_fit, to_calibrate)):
            rows, later = _sample(to_fit, FITTED_MOST, seed), _sample(to_calibrate, CALIBRATED_MOST, seed)
            trees = fit_trees(examples.features[rows], labels[rows] > 0, shape or BoostingShape(), seed)
            chances[target] = Chance(trees, calibrate(trees.log_odds(examples.features[later]), labels[later]))
    read_until = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=examples.read_until)
    model = IntentModel(goal, examples.signals, chances, read_until)
    late = examples.take(tested & np.isin(examples.lengths, LENGTHS))
    of_late = model.tell_all(late.features)
    missing = np.where(np.isnan(of_late), np.nan, late.labels)
    return IntentStudy(model, late, of_late, measure_chances(missing, of_late, late.lengths, LENGTHS))


def calibrate(log_odds: F64, labels: F64) -> F64:
    """Return the curve that makes log-odds (n,) the chances of labels (n,): rising steps, or Platt's scaling.

    Steps (isotonic regression) need many of both labels; of few, they would follow chance. A further example of
    the other label at either end keeps every chance above 0 and below 1.
    """
    if min(labels.sum(), len(labels) - labels.sum()) >= LEAST_FOR_STEPS:
        ends = [log_odds.min(), log_odds.max()]
        steps = IsotonicRegression(out_of_bounds="clip").fit([*log_odds, *ends], [*labels, 1.0, 0.0])
        return np.stack([steps.X_thresholds_, steps.y_thresholds_]).astype(np.float64)
    fitted = LogisticRegression(C=1e6).fit(log_odds[:, None], labels > 0)
    points = np.linspace(-CURVE_ENDS, CURVE_ENDS, CURVE_POINTS)
    return np.stack([points, fitted.predict_proba(points[:, None])[:, 1]])


def _sample(is_eligible: Bools, most: int, seed: int) -> I64:
    rows = np.flatnonzero(is_eligible)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _is_learnable(visits: I64, labels: F64) -> bool:
    return min(len(np.unique(visits[labels == value])) for value in (0.0, 1.0)) >= LEAST_OF_A_LABEL
