"""Who sees which variant: deterministic, salted, the same for one unit over HTTP and for a column of ten
million.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I8, Bools
from ml.arrays.hashing import bucket_unit, bucket_units
from ml.errors import InvalidInputError
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.targeting import TARGETING_FIELDS, compile_targeting
from ml.expressions.language import FieldType

REASONS: tuple[str, ...] = (
    "assigned",
    "override",
    "not_running",
    "global_control",
    "holdout",
    "outside_layer_range",
    "outside_traffic",
    "not_targeted",
)
"""Why a unit has its variant, or none. Tested in the order of `assign_unit`."""

NO_VARIANT = -1
_ARROW_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.MAP: pa.map_(pa.string(), pa.float64()),
}


@dataclass(frozen=True)
class Assignment:
    """The answer for one unit; `variant` is None when it takes no part, and `reason` says why."""

    experiment_id: str
    unit_type: str
    unit_id: str
    variant: str | None
    reason: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignmentColumns:
    """Answers for a column of units.

    `variants` is int8, shape (n_units,): the index into `names`, or -1. `reasons` is int8: the index into
    `REASONS`.
    """

    names: tuple[str, ...]
    variants: I8
    reasons: I8

    def variant_column(self) -> pa.DictionaryArray:
        """Return the variants as a dictionary column, null where a unit takes no part."""
        codes = pa.array(self.variants, mask=self.variants == NO_VARIANT)
        return pa.DictionaryArray.from_arrays(codes, pa.array(self.names, pa.string()))

    def reason_column(self) -> pa.DictionaryArray:
        """Return the reasons as a dictionary column."""
        return pa.DictionaryArray.from_arrays(pa.array(self.reasons), pa.array(REASONS, pa.string()))


@dataclass(frozen=True)
class _Gates:
    """The places in [0, 1) that decide about a unit, by salt."""

    layer_salt: str | None
    traffic_salt: str
    variant_salt: str
    holdout_salts: tuple[tuple[str, float], ...]


def assign_unit(
    experiments: ExperimentDefinitions, experiment_id: str, unit_id: str, context: Mapping[str, Any], at: datetime
) -> Assignment:
    """Assign one unit.

    `context` holds what targeting may ask about the unit; a key that is not there matches nothing. Raises
    `UnknownExperimentError` for an id that is not in the file and ValueError for an empty unit id.
    """
    experiment = experiments.get(experiment_id)
    if not unit_id:
        raise InvalidInputError(f"an empty {experiment.unit} id cannot be assigned")

    def answer(variant: str | None, reason: str) -> Assignment:
        payload = experiment.variants[variant].payload if variant is not None else {}
        return Assignment(experiment.id, experiment.unit, unit_id, variant, reason, payload)

    if unit_id in experiment.overrides:
        return answer(experiment.overrides[unit_id], "override")
    step = experiment.step_index(at)
    if not experiment.is_running(at) or step < 0:
        return answer(None, "not_running")
    control = experiments.global_control
    if control.share and bucket_unit(unit_id, control.salt) < control.share:
        return answer(None, "global_control")
    gates = _gates(experiments, experiment, at)
    if any(bucket_unit(unit_id, salt) < share for salt, share in gates.holdout_salts):
        return answer(None, "holdout")
    if gates.layer_salt is not None:
        low, high = experiment.layer_range
        if not low <= bucket_unit(unit_id, gates.layer_salt) < high:
            return answer(None, "outside_layer_range")
    if bucket_unit(unit_id, gates.traffic_salt) >= experiment.steps[step].traffic:
        return answer(None, "outside_traffic")
    if experiment.targeting is not None and not compile_targeting(experiment.targeting).matches(context):
        return answer(None, "not_targeted")
    place = bucket_unit(unit_id, gates.variant_salt)
    variant = next(name for edge, name in experiment.variant_edges(step) if place < edge)
    return answer(variant, "assigned")


def assign_units(
    experiments: ExperimentDefinitions,
    experiment_id: str,
    unit_ids: pa.Array | pa.ChunkedArray,
    context: pa.Table | None,
    at: datetime,
) -> AssignmentColumns:
    """Assign a column of units at one time, with the answers of `assign_unit`.

    `context` has one row a unit; it may be None when the experiment targets everyone. Raises ValueError for null
    or empty ids and for a missing or misaligned context.
    """
    experiment = experiments.get(experiment_id)
    names = tuple(experiment.variants)
    variants = np.full(len(unit_ids), NO_VARIANT, dtype=np.int8)
    reasons = np.full(len(unit_ids), REASONS.index("not_running"), dtype=np.int8)
    _refuse_empty(unit_ids, experiment.unit)
    step = experiment.step_index(at)
    if experiment.is_running(at) and step >= 0:
        gates = _gates(experiments, experiment, at)
        undecided = np.ones(len(unit_ids), dtype=bool)

        def close(reason: str, out: Bools) -> None:
            leaving = undecided & out
            reasons[leaving] = REASONS.index(reason)
            undecided[leaving] = False

        control = experiments.global_control
        if control.share:
            close("global_control", bucket_units(unit_ids, control.salt) < control.share)
        for salt, share in gates.holdout_salts:
            close("holdout", bucket_units(unit_ids, salt) < share)
        if gates.layer_salt is not None:
            low, high = experiment.layer_range
            place = bucket_units(unit_ids, gates.layer_salt)
            close("outside_layer_range", (place < low) | (place >= high))
        traffic = experiment.steps[step].traffic
        if traffic < 1:
            close("outside_traffic", bucket_units(unit_ids, gates.traffic_salt) >= traffic)
        if experiment.targeting is not None:
            close("not_targeted", ~_targeted(experiment.targeting, context, len(unit_ids)))
        edges = experiment.variant_edges(step)
        order = np.array([names.index(name) for _, name in edges], dtype=np.int8)
        places = np.searchsorted(
            [edge for edge, _ in edges[:-1]], bucket_units(unit_ids, gates.variant_salt), side="right"
        )
        variants[undecided] = order[places[undecided]]
        reasons[undecided] = REASONS.index("assigned")
    for unit_id, name in experiment.overrides.items():
        rows = np.asarray(pc.equal(unit_ids, unit_id))
        variants[rows], reasons[rows] = names.index(name), REASONS.index("override")
    return AssignmentColumns(names, variants, reasons)


def _gates(experiments: ExperimentDefinitions, experiment: Experiment, at: datetime) -> _Gates:
    layer = experiment.layer
    layer_salt = None
    if layer is not None:
        layer_salt = f"layer:{experiments.layers[layer].salt or layer}"
    holdouts = tuple(
        (f"holdout:{name}", holdout.share)
        for name, holdout in experiments.holdouts_over(experiment).items()
        if holdout.starts_at <= at < holdout.ends_at
    )
    salt = experiment.assignment_salt
    return _Gates(layer_salt, f"traffic:{salt}", f"variant:{salt}", holdouts)


def _targeted(text: str, context: pa.Table | None, rows: int) -> Bools:
    if context is None:
        raise InvalidInputError(f"targeting {text!r} needs a context table")
    if context.num_rows != rows:
        raise InvalidInputError(f"context has {context.num_rows} rows for {rows} units")
    condition = compile_targeting(text)
    for name in sorted(condition.fields - set(context.column_names)):
        # What no unit has is missing for all of them, as it is for one unit.
        context = context.append_column(name, pa.nulls(rows, _ARROW_TYPES[TARGETING_FIELDS[name]]))
    return np.asarray(condition.mask(context), dtype=bool)


def _refuse_empty(unit_ids: pa.Array | pa.ChunkedArray, unit: str) -> None:
    if pc.any(pc.equal(unit_ids, "")).as_py():
        raise InvalidInputError(f"an empty {unit} id cannot be assigned")
