"""The intent of simulated visits beside a logistic regression on counts and an oracle that knows the intent.

The oracle is the same model with the hidden intent of each visit, and whether it grows tired, among its features.
No event says either, so that the way to the oracle is not all to be had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from figure import Figure
from simulated_actions import actions_of, products_of, site_of
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.arrays import F64
from ml.sequences.actions import find_signals
from ml.sequences.intent.examples import LENGTHS, TARGETS, Examples, build_examples
from ml.sequences.intent.model import split_in_time, study_intent
from ml.sequences.intent.running_visit import FEATURES, NOT_DONE_BY_VISITORS
from ml.sources.simulator.truth import truth_tables

SEED, USERS, DAYS = 7, 2000, 120
MINIMUM_PEOPLE = 20
GOAL = "purchase"


def measure(size: float) -> Iterator[Figure]:
    """Yield AUC and calibration after 3, 5 and 10 actions; `size` takes fewer users."""
    site = site_of(SEED, round(USERS * size), DAYS)
    actions = actions_of(site, DAYS, NOT_DONE_BY_VISITORS)
    signals = find_signals(actions, MINIMUM_PEOPLE)
    examples = build_examples(actions, signals, products_of(site, DAYS).__contains__, GOAL)
    truth = truth_tables(site, DAYS)["visits"].to_pandas().set_index("session_id")
    first = actions.to_pandas().drop_duplicates("session_key")["session_id"]
    hidden = truth.loc[first.to_numpy()[examples.visits], ["intent", "is_tired"]].to_numpy(dtype=np.float32)
    study = study_intent(examples, GOAL, 1)
    oracle = study_intent(replace(examples, features=np.column_stack([examples.features, hidden])), GOAL, 1)
    rival = _logistic_on_counts(examples)
    best = {(row["target"], row["actions"]): row["auc"] for row in oracle.measures.to_pylist()}
    for row in study.measures.to_pylist():
        place = row["target"], row["actions"]
        way = (row["auc"] - rival[place]) / (best[place] - rival[place])
        yield Figure(
            f"intent: {place[0]} after {place[1]}, AUC",
            row["auc"],
            "AUC",
            f"logistic on counts; oracle {best[place]:.4f}, way {way:.2f}",
            rival[place],
            row["auc"] / rival[place],
            rows=row["visits"],
        )
        yield Figure(f"intent: {place[0]} after {place[1]}, calibration error", row["calibration_error"], "chance")


def _logistic_on_counts(examples: Examples) -> dict[tuple[str, int], float]:
    """Return the AUC of a logistic regression on the counts of signals, by target and number of actions."""
    counts: F64 = examples.features[:, len(FEATURES) :].astype(np.float64)
    fitted, _, tested = split_in_time(examples)
    scores = {}
    for number, target in enumerate(TARGETS):
        labels = examples.labels[:, number]
        rows = fitted & ~np.isnan(labels)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(
            counts[rows], labels[rows] > 0
        )
        for length in LENGTHS:
            late = tested & ~np.isnan(labels) & (examples.lengths == length)
            scores[target, length] = float(
                roc_auc_score(labels[late] > 0, model.predict_proba(counts[late])[:, 1])
            )
    return scores
