"""Compare rankers and contents by the mart `answers`."""

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
    """The log contains no answer of the requested kind."""


@dataclass(frozen=True)
class ContentValue:
    """What always showing a content would have earned where it may be shown.

    Attributes:
        content: the content.
        shown: decisions in which it was shown.
        eligible: decisions in which it could have been drawn.
        estimates: clicks per decision, by three estimators.
    """

    content: str
    shown: int
    eligible: int
    estimates: tuple[PolicyValue, ...]


def compare_rankers(answers: pa.Table, alpha: float = 0.05) -> RankerPreference:
    """Compare champion (A) and challenger (B) by the clicks on lists that both drafted.

    Args:
        answers: `user_id, teams, items` (JSON text) and `clicked_items`.
        alpha: 1 minus the level of the interval.

    Raises:
        NothingLoggedError: no list was drafted by both rankers.
    """
    drafted = answers.filter(pc.is_valid(answers["teams"]))
    if not len(drafted):
        raise NothingLoggedError(
            "no list was drafted by both rankers; set a challenger and an interleaved_share in settings.yaml"
        )
    clicks = np.zeros((len(drafted), 2))
    columns = (drafted[name].to_pylist() for name in ("items", "teams", "clicked_items"))
    for row, (items, teams, clicked) in enumerate(zip(*columns, strict=True)):
        counts = Counter(clicked or ())
        for item, team in zip(orjson.loads(items), orjson.loads(teams), strict=True):
            clicks[row, int(team == CHALLENGER)] += counts[item]
    return measure_preference(_number_persons(drafted), clicks[:, 0], clicks[:, 1], alpha)


def evaluate_contents(answers: pa.Table, slot: str, alpha: float = 0.05) -> list[ContentValue]:
    """Estimate, for each content that a slot drew at random, what always showing it would have earned.

    Only decisions with a propensity below 1 count, because otherwise nothing else could have been shown. The
    reward is 1 for a decision that was clicked. The reward model of the doubly robust estimate, the mean of each
    content, is fitted on the other half of the persons.

    A content is judged on the decisions in which it could have been drawn: those of the rules that draw it.
    Decisions of other rules, such as one for mobile visitors alone, say nothing about it.

    Args:
        answers: `user_id, slot, items, propensities` (JSON text), `clicks` and optionally `rules` (JSON text);
            without it, all contents compete in every decision.
        slot: the slot.
        alpha: 1 minus the level of the intervals.

    Raises:
        NothingLoggedError: the slot drew no content at random.
    """
    decided = answers.filter(pc.fill_null(pc.equal(answers["slot"], slot), False))
    items = [orjson.loads(text) if text else [] for text in decided["items"].to_pylist()]
    propensities = [orjson.loads(text) if text else [] for text in decided["propensities"].to_pylist()]
    drawn = [len(i) == len(p) == 1 and p[0] < 1 for i, p in zip(items, propensities, strict=True)]
    rows = np.flatnonzero(drawn)
    if not len(rows):
        raise NothingLoggedError(f"slot {slot!r} drew no content at random; a rule with `learn` does")
    content = np.array([items[row][0] for row in rows])
    logged = np.array([propensities[row][0] for row in rows], dtype=np.float64)
    reward = (decided["clicks"].to_numpy()[rows] > 0).astype(np.float64)
    person = _number_persons(decided)[rows]
    rule = _content_rules(decided)[rows]
    values = []
    for name in sorted(set(content.tolist())):
        eligible = np.isin(rule, np.unique(rule[content == name]))
        drawn_content, earned, persons = content[eligible], reward[eligible], person[eligible]
        log = LoggedDecisions(earned, logged[eligible], (drawn_content == name).astype(np.float64), persons)
        shown_rewards, target_rewards = _predict_rewards(drawn_content, earned, persons, name)
        estimates = (
            inverse_propensity(log, alpha),
            self_normalized(log, alpha),
            doubly_robust(log, shown_rewards, target_rewards, alpha),
        )
        values.append(ContentValue(name, int((content == name).sum()), int(eligible.sum()), estimates))
    return values


def _content_rules(answers: pa.Table) -> npt.NDArray[np.str_]:
    """Return the rule that chose the content of each answer, empty text where the table does not say."""
    texts = answers["rules"].to_pylist() if "rules" in answers.column_names else [None] * len(answers)
    return np.array([(orjson.loads(text) if text else {}).get("content") or "" for text in texts], dtype=np.str_)


def _predict_rewards(content: npt.NDArray[np.str_], reward: F64, person: I64, target: str) -> tuple[F64, F64]:
    """Return the mean reward, on the other fold, of the shown content and of the target."""
    shown_rewards, target_rewards = np.zeros(len(content)), np.zeros(len(content))
    for fold in range(_FOLDS):
        is_held_out = person % _FOLDS == fold
        overall = reward[~is_held_out].mean() if (~is_held_out).any() else 0.0
        means = {
            name: reward[~is_held_out & (content == name)].mean()
            if (~is_held_out & (content == name)).any()
            else overall
            for name in set(content.tolist())
        }
        shown_rewards[is_held_out] = [means[name] for name in content[is_held_out].tolist()]
        target_rewards[is_held_out] = means[target]
    return shown_rewards, target_rewards


def _number_persons(answers: pa.Table) -> I64:
    """Number the persons in the order of their first answer."""
    encoded = answers["user_id"].combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
