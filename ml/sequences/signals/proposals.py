"""Proposals from signals: rules that invite to an action, and an experiment that proves each."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from ml.sequences.signals.study import EVERYBODY, FOLLOWED, HAPPENED

LONGEST_NAME = 48
EXPERIMENT_WEEKS = 4
SMALLEST_EFFECT = 0.01
RAISING_MOST = 5
LAYER = "invitations"


@dataclass(frozen=True)
class TriggerProposal:
    """A rule, what it may bring, and the experiment that would prove it.

    Attributes:
        rule: As it stands in rules.yaml.
        experiment_id: Name of the experiment.
        experiment: As it stands in experiments.yaml.
        expectation: What the rule may bring, in a sentence.
    """

    rule: dict[str, Any]
    experiment_id: str
    experiment: dict[str, Any]
    expectation: str


def find_raising_signals(signals: pa.Table, segment: str, comparisons: Sequence[str]) -> list[dict[str, Any]]:
    """Return the discoveries that raise conversion among the visits of a segment, the surest first.

    Args:
        signals: The table `signals`.
        segment: Name of the segment, or EVERYBODY.
        comparisons: HAPPENED, FOLLOWED or DOSE.

    Returns:
        At most RAISING_MOST rows of the table.
    """
    rows = [
        row
        for row in signals.to_pylist()
        if row["is_discovery"] and row["lift_low"] > 0 and row["segment"] == segment
        if row["comparison"] in comparisons
    ]
    return sorted(rows, key=lambda row: (-row["lift_low"], row["signal"]))[:RAISING_MOST]


def report_signals(signals: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Return the actions that raise conversion, by the visits among which they do: all first, then each segment's.

    Args:
        signals: The table `signals`.
    """
    segments = sorted(set(signals.column("segment").to_pylist()) - {EVERYBODY})
    names = {EVERYBODY: "everybody", **{segment: segment for segment in segments}}
    raising = {title: find_raising_signals(signals, segment, [HAPPENED]) for segment, title in names.items()}
    return {title: rows for title, rows in raising.items() if rows}


def propose_triggers(signals: pa.Table, slot: str, at: dt.datetime) -> list[TriggerProposal]:
    """Propose an invitation for each discovery that raises conversion, the surest first.

    Args:
        signals: The table `signals`.
        slot: The slot that shows the invitation.
        at: The present time; the experiments begin on the next day.
    """
    rows = find_raising_signals(signals, EVERYBODY, (HAPPENED, FOLLOWED))
    ranges = np.linspace(0, 1, len(rows) + 1).round(3).tolist()
    return [_propose(row, slot, at, part) for row, part in zip(rows, pairwise(ranges), strict=True)]


def _propose(row: dict[str, Any], slot: str, at: dt.datetime, part: tuple[float, float]) -> TriggerProposal:
    signal, then = row["signal"], row["then_signal"]
    action = then or signal
    name = _slug(f"invite-{action}" if then is None else f"invite-{then}-after-{signal}")
    lacks = f'!has(visit.signals["{action}"])'
    condition = lacks if then is None else f'has(visit.signals["{signal}"]) && {lacks}'
    rule = {"id": name, "slots": [slot], "when": condition, "then": {"banner": name}}
    begin = dt.datetime.combine(at.astimezone(dt.UTC).date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    experiment = {
        "hypothesis": f"An invitation to {action} makes more people convert.",
        "unit": "user",
        "variants": {
            "control": {"share": 0.5},
            "invitation": {"share": 0.5, "payload": {"rules": {"with": [rule]}}},
        },
        "slots": [slot],
        "primary_metric": "conversion",
        "minimum_detectable_effect": max(round(row["lift_low"] * row["share_of_visits"], 3), SMALLEST_EFFECT),
        "starts_at": begin,
        "ends_at": begin + dt.timedelta(weeks=EXPERIMENT_WEEKS),
        "layer": LAYER,  # the invitations share a slot, so that nobody takes part in two experiments
        "layer_range": list(part),
    }
    what = f"show {signal}" if then is None else f"show {then} after {signal}"
    expectation = (
        f"Visits that {what} convert {row['lift']:+.0%} ({row['lift_low']:+.0%} to {row['lift_high']:+.0%}):"
        f" {1000 * row['converted_without'] * row['lift']:.1f} more conversions of 1,000 visits that would do so."
    )
    return TriggerProposal(rule, name, experiment, expectation)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST_NAME].rstrip("-")
