"""The mart `answers` as the comparisons of rankers and policies want it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F64, I64
from ml.errors import TesseraError
from ml.experiments.rankers.interleaving import RankerPreference, measure_preference
from ml.experiments.rankers.off_policy import (
    LoggedDecisions,
    PolicyValue,
    doubly_robust,
    inverse_propensity,
    self_normalized,
)

CHAMPION, CHALLENGER = "champion", "challenger"
_FOLDS = 2


class NothingLoggedError(TesseraError, ValueError):
    """The log holds no answer of the kind that is asked about."""


@dataclass(frozen=True)
class ContentValue:
    """What always showing one content would have earned: clicks a decision, by three estimates."""

    content: str
    shown: int
    estimates: tuple[PolicyValue, ...]


def compare_rankers(answers: pa.Table, alpha: float = 0.05) -> RankerPreference:
    """Compare champion (A) and challenger (B) by the clicks of the lists that both drafted.

    `answers` needs `user_id, teams, items` (JSON text) and `clicked_items`. Raises NothingLoggedError when nobody
    was answered by both.
    """
    drafted = answers.filter(pc.is_valid(answers["teams"]))
    if not len(drafted):
        raise NothingLoggedError(
            "no list was drafted by both rankers; name a challenger and an interleaved_share in settings.yaml"
        )
    clicks = np.zeros((len(drafted), 2))
    columns = (drafted[name].to_pylist() for name in ("items", "teams", "clicked_items"))
    for row, (items, teams, clicked) in enumerate(zip(*columns, strict=True)):
        counts = Counter(clicked or ())
        for item, team in zip(orjson.loads(items), orjson.loads(teams), strict=True):
            clicks[row, int(team == CHALLENGER)] += counts[item]
    return measure_preference(_persons(drafted), clicks[:, 0], clicks[:, 1], alpha)


def evaluate_contents(answers: pa.Table, slot: str, alpha: float = 0.05) -> list[ContentValue]:
    """Say, for each content that a slot drew by chance, what always showing it would have earned.

    Only decisions with a propensity below 1 count: where nothing was drawn nothing else could have been shown. The
    reward is 1 for a decision that was clicked. The reward model of the doubly robust estimate, the mean of each
    content, is fitted on the other half of the persons. Raises NothingLoggedError when the slot drew nothing.
    """
    decided = answers.filter(pc.fill_null(pc.equal(answers["slot"], slot), False))
    items = [orjson.loads(text) if text else [] for text in decided["items"].to_pylist()]
    chances = [orjson.loads(text) if text else [] for text in decided["propensities"].to_pylist()]
    drawn = [len(i) == len(p) == 1 and p[0] < 1 for i, p in zip(items, chances, strict=True)]
    rows = np.flatnonzero(drawn)
    if not len(rows):
        raise NothingLoggedError(f"slot {slot!r} drew no content by chance: a rule that says `learn` does")
    content = np.array([items[row][0] for row in rows])
    logged = np.array([chances[row][0] for row in rows], dtype=np.float64)
    reward = (decided["clicks"].to_numpy()[rows] > 0).astype(np.float64)
    person = _persons(decided)[rows]
    found = []
    for name in sorted(set(content.tolist())):
        log = LoggedDecisions(reward, logged, (content == name).astype(np.float64), person)
        own, target = _predicted(content, reward, person, name)
        estimates = (
            inverse_propensity(log, alpha), self_normalized(log, alpha), doubly_robust(log, own, target, alpha)
        )  # fmt: skip
        found.append(ContentValue(name, int((content == name).sum()), estimates))
    return found


def _predicted(content: npt.NDArray[np.str_], reward: F64, person: I64, target: str) -> tuple[F64, F64]:
    """Mean reward, on the other fold, of the content that was shown and of the target."""
    own, wanted = np.zeros(len(content)), np.zeros(len(content))
    for fold in range(_FOLDS):
        held = person % _FOLDS == fold
        overall = reward[~held].mean() if (~held).any() else 0.0
        means = {
            name: reward[~held & (content == name)].mean() if (~held & (content == name)).any() else overall
            for name in set(content.tolist())
        }
        own[held] = [means[name] for name in content[held].tolist()]
        wanted[held] = means[target]
    return own, wanted


def _persons(answers: pa.Table) -> I64:
    """A number for each person, in the order of their first answer."""
    encoded = answers["user_id"].combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
