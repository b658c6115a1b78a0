"""Which steps of a funnel count: those whose event type the site sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any


@dataclass(frozen=True)
class CountedSteps:
    """The steps of a funnel of the settings, in their order.

    Attributes:
        counted: Those that count; none where the site sends fewer than two.
        sent: Those whose event type the site has sent.
        left_out: Those whose event type it has never sent.
    """

    counted: Sequence[str]
    sent: Sequence[str]
    left_out: Sequence[str]

    @property
    def note(self) -> str:
        """What a reader has to know, in a sentence or two; empty where every step counts."""
        if not self.left_out:
            return ""
        left_out = _join(self.left_out)
        if self.counted:
            return f"Left out, because the site has never sent such an event: {left_out}."
        sent = f"only {_join(self.sent)}" if self.sent else "none"
        return f"Not counted: of the two steps that a funnel needs, the site sends {sent}. Never sent: {left_out}."


def collect_counted_steps(rows: Iterable[Mapping[str, Any]]) -> dict[str, CountedSteps]:
    """Work out which steps of each funnel count.

    Args:
        rows: Of the mart `funnel_steps`: funnel, step, is_sent and step_number, ordered by funnel and place.
    """
    funnels = {}
    for name, group in groupby(rows, key=lambda row: str(row["funnel"])):
        steps = list(group)
        funnels[name] = CountedSteps(
            counted=[row["step"] for row in steps if row["step_number"] is not None],
            sent=[row["step"] for row in steps if row["is_sent"]],
            left_out=[row["step"] for row in steps if not row["is_sent"]],
        )
    return funnels


def _join(steps: Sequence[str]) -> str:
    return ", ".join(step.replace("_", " ") for step in steps)
