"""An experiment that is only being planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from ml.errors import InvalidInputError
from ml.experiments.definition.definition import Experiment

EVEN = (0.5, 0.5)


def build_planned_experiment(
    metric: str,
    lift: float,
    traffic: float = 1.0,
    shares: Sequence[float] = EVEN,
    **rule: Any,
) -> Experiment:
    """Build an experiment of a metric, to be planned.

    Args:
        metric: name of the primary metric.
        lift: smallest relative effect that is worth detecting.
        traffic: share of the units that take part.
        shares: share of each variant among them, that of the control first.
        rule: fields of its decision rule, such as `alpha` and `inference`.

    Raises:
        InvalidInputError: an argument is not legal.
    """
    now = datetime.now(UTC)
    names = ("control", "treatment", *(f"treatment_{number}" for number in range(2, len(shares))))
    return validate_experiment(
        {
            "id": "plan",
            "hypothesis": "An experiment that is only being planned.",
            "unit": "user",
            "variants": {name: {"share": share} for name, share in zip(names, shares, strict=True)},
            "primary_metric": metric,
            "minimum_detectable_effect": lift,
            "starts_at": now,
            "ends_at": now + timedelta(days=28),
            "ramp": ({"from": now, "traffic": traffic},),
            "decision": rule,
        }
    )


def validate_experiment(content: dict[str, Any]) -> Experiment:
    """Validate the fields of an experiment; raises InvalidInputError if one is not legal."""
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidInputError("; ".join(faults)) from None
