"""Funnels: who took each step, and who was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection
from ml.usage.funnel_steps import CountedSteps, collect_counted_steps
from ml.usage.ratios import Ratio, share_of_people


@dataclass(frozen=True)
class FunnelStage:
    """A step of a funnel.

    Attributes:
        step: Name of the step.
        entered: Visits or people that took it in order.
        of_first: Their share of those at the first step.
        lost: Of those at the step before, how many did not take it.
        lost_share: The share of these.
    """

    step: str
    entered: int
    of_first: Ratio
    lost: int
    lost_share: Ratio


def collect_funnels(tables: PublishedTables, selection: VisitSelection) -> dict[str, list[FunnelStage]]:
    """Work out the steps of each funnel of which anybody took the first one."""
    rows = tables.sums("funnels", selection, ("funnel", "step_number", "step"), ("entered",))
    return {
        name: _stages([(row["step"], row["entered"]) for row in steps])
        for name, steps in groupby(rows, key=lambda row: row["funnel"])
    }


def collect_steps(tables: PublishedTables) -> dict[str, CountedSteps]:
    """Work out which steps of each funnel of the settings count."""
    return collect_counted_steps(tables.read("funnel_steps").to_pylist())


def collect_funnel_parts(
    tables: PublishedTables, selection: VisitSelection, funnel: str, dimension: str
) -> dict[str, list[FunnelStage]]:
    """Work out the steps of a funnel for each value of a dimension, those with the most entries first.

    A step that nobody with a value took stands there with 0.
    """
    all_rows = tables.sums("funnels", selection, ("funnel", dimension, "step_number", "step"), ("entered",))
    rows = [row for row in all_rows if row["funnel"] == funnel]
    steps = dict(sorted({(row["step_number"], row["step"]) for row in rows}))
    entered = {(row[dimension], row["step_number"]): row["entered"] for row in rows}
    parts = {
        value: _stages([(step, entered.get((value, number), 0)) for number, step in steps.items()])
        for value in sorted({row[dimension] for row in rows})
    }
    return dict(sorted(parts.items(), key=lambda part: -part[1][0].entered))


def _stages(steps: Sequence[tuple[str, int]]) -> list[FunnelStage]:
    first = before = steps[0][1]
    stages = []
    for step, entered in steps:
        lost = before - entered
        stages.append(
            FunnelStage(step, entered, share_of_people(entered, first), lost, share_of_people(lost, before))
        )
        before = entered
    return stages
