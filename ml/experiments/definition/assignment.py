"""Assign units to variants.

The assignment is deterministic and salted. A unit gets the same variant over HTTP and in a column of ten million
units.
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
"""Why a unit has its variant or none; the reasons after `assigned` are in the order in which they are checked."""

NO_VARIANT = -1
_ARROW_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.MAP: pa.map_(pa.string(), pa.float64()),
}


@dataclass(frozen=True)
class Assignment:
    """The assignment of a unit.

    Attributes:
        experiment_id: id of the experiment.
        unit_type: `user`, `anonymous` or `session`.
        unit_id: id of the unit.
        variant: name of the variant, None if the unit does not take part.
        reason: one of `REASONS`.
        payload: payload of the variant.
    """

    experiment_id: str
    unit_type: str
    unit_id: str
    variant: str | None
    reason: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignmentColumns:
    """The assignments of a column of units.

    Attributes:
        names: names of the variants.
        variants: index into `names` or -1, int8, (n_units,).
        reasons: index into `REASONS`, int8, (n_units,).
    """

    names: tuple[str, ...]
    variants: I8
    reasons: I8

    def variant_column(self) -> pa.DictionaryArray:
        """Return the variants as a dictionary column, null where a unit does not take part."""
        codes = pa.array(self.variants, mask=self.variants == NO_VARIANT)
        return pa.DictionaryArray.from_arrays(codes, pa.array(self.names, pa.string()))

    def reason_column(self) -> pa.DictionaryArray:
        """Return the reasons as a dictionary column."""
        return pa.DictionaryArray.from_arrays(pa.array(self.reasons), pa.array(REASONS, pa.string()))


@dataclass(frozen=True)
class _Salts:
    """The salts of the buckets that decide about a unit."""

    layer_salt: str | None
    traffic_salt: str
    variant_salt: str
    holdout_salts: tuple[tuple[str, float], ...]


def assign_unit(
    definitions: ExperimentDefinitions, experiment_id: str, unit_id: str, context: Mapping[str, Any], at: datetime
) -> Assignment:
    """Assign a unit.

    Args:
        definitions: the definitions.
        experiment_id: id of the experiment.
        unit_id: id of the unit.
        context: fields that targeting may read; an absent field matches nothing.
        at: time of the assignment.

    Raises:
        UnknownExperimentError: no experiment has this id.
        InvalidInputError: the unit id is empty.
    """
    experiment = definitions.get(experiment_id)
    if not unit_id:
        raise InvalidInputError(f"an empty {experiment.unit} id cannot be assigned")

    def build_assignment(variant: str | None, reason: str) -> Assignment:
        payload = experiment.variants[variant].payload if variant is not None else {}
        return Assignment(experiment.id, experiment.unit, unit_id, variant, reason, payload)

    if unit_id in experiment.overrides:
        return build_assignment(experiment.overrides[unit_id], "override")
    step = experiment.step_index(at)
    if not experiment.is_running(at) or step < 0:
        return build_assignment(None, "not_running")
    control = definitions.global_control
    if control.share and bucket_unit(unit_id, control.salt) < control.share:
        return build_assignment(None, "global_control")
    salts = _collect_salts(definitions, experiment, at)
    if any(bucket_unit(unit_id, salt) < share for salt, share in salts.holdout_salts):
        return build_assignment(None, "holdout")
    if salts.layer_salt is not None:
        low, high = experiment.layer_range
        if not low <= bucket_unit(unit_id, salts.layer_salt) < high:
            return build_assignment(None, "outside_layer_range")
    if bucket_unit(unit_id, salts.traffic_salt) >= experiment.steps[step].traffic:
        return build_assignment(None, "outside_traffic")
    if experiment.targeting is not None and not compile_targeting(experiment.targeting).matches(context):
        return build_assignment(None, "not_targeted")
    bucket = bucket_unit(unit_id, salts.variant_salt)
    variant = next(name for edge, name in experiment.variant_edges(step) if bucket < edge)
    return build_assignment(variant, "assigned")


def assign_units(
    definitions: ExperimentDefinitions,
    experiment_id: str,
    unit_ids: pa.Array | pa.ChunkedArray,
    context: pa.Table | None,
    at: datetime,
) -> AssignmentColumns:
    """Assign a column of units at the same time, with the same results as `assign_unit`.

    Args:
        definitions: the definitions.
        experiment_id: id of the experiment.
        unit_ids: ids of the units.
        context: one row per unit; None is enough when the experiment targets all units.
        at: time of the assignment.

    Raises:
        UnknownExperimentError: no experiment has this id.
        InvalidInputError: an id is null or empty, or the context is missing or has another number of rows.
    """
    experiment = definitions.get(experiment_id)
    names = tuple(experiment.variants)
    variants = np.full(len(unit_ids), NO_VARIANT, dtype=np.int8)
    reasons = np.full(len(unit_ids), REASONS.index("not_running"), dtype=np.int8)
    _refuse_empty(unit_ids, experiment.unit)
    step = experiment.step_index(at)
    if experiment.is_running(at) and step >= 0:
        salts = _collect_salts(definitions, experiment, at)
        undecided = np.ones(len(unit_ids), dtype=bool)

        def exclude(reason: str, out: Bools) -> None:
            leaving = undecided & out
            reasons[leaving] = REASONS.index(reason)
            undecided[leaving] = False

        control = definitions.global_control
        if control.share:
            exclude("global_control", bucket_units(unit_ids, control.salt) < control.share)
        for salt, share in salts.holdout_salts:
            exclude("holdout", bucket_units(unit_ids, salt) < share)
        if salts.layer_salt is not None:
            low, high = experiment.layer_range
            bucket = bucket_units(unit_ids, salts.layer_salt)
            exclude("outside_layer_range", (bucket < low) | (bucket >= high))
        traffic = experiment.steps[step].traffic
        if traffic < 1:
            exclude("outside_traffic", bucket_units(unit_ids, salts.traffic_salt) >= traffic)
        if experiment.targeting is not None:
            exclude("not_targeted", ~_mask_targeted(experiment.targeting, context, len(unit_ids)))
        edges = experiment.variant_edges(step)
        order = np.array([names.index(name) for _, name in edges], dtype=np.int8)
        positions = np.searchsorted(
            [edge for edge, _ in edges[:-1]], bucket_units(unit_ids, salts.variant_salt), side="right"
        )
        variants[undecided] = order[positions[undecided]]
        reasons[undecided] = REASONS.index("assigned")
    for unit_id, name in experiment.overrides.items():
        rows = np.asarray(pc.equal(unit_ids, unit_id))
        variants[rows], reasons[rows] = names.index(name), REASONS.index("override")
    return AssignmentColumns(names, variants, reasons)


def _collect_salts(definitions: ExperimentDefinitions, experiment: Experiment, at: datetime) -> _Salts:
    """Collect the salts of an experiment at a time."""
    layer = experiment.layer
    layer_salt = None
    if layer is not None:
        layer_salt = f"layer:{definitions.layers[layer].salt or layer}"
    holdouts = tuple(
        (f"holdout:{name}", holdout.share)
        for name, holdout in definitions.holdouts_over(experiment).items()
        if holdout.starts_at <= at < holdout.ends_at
    )
    salt = experiment.assignment_salt
    return _Salts(layer_salt, f"traffic:{salt}", f"variant:{salt}", holdouts)


def _mask_targeted(text: str, context: pa.Table | None, rows: int) -> Bools:
    """Mark the units that meet the targeting condition."""
    if context is None:
        raise InvalidInputError(f"targeting {text!r} needs a context table")
    if context.num_rows != rows:
        raise InvalidInputError(f"context has {context.num_rows} rows for {rows} units")
    condition = compile_targeting(text)
    for name in sorted(condition.fields - set(context.column_names)):
        # A field that is absent from the table is missing for every unit, as it is for a single unit.
        context = context.append_column(name, pa.nulls(rows, _ARROW_TYPES[TARGETING_FIELDS[name]]))
    return np.asarray(condition.mask(context), dtype=bool)


def _refuse_empty(unit_ids: pa.Array | pa.ChunkedArray, unit: str) -> None:
    """Raise InvalidInputError if an id is empty."""
    if pc.any(pc.equal(unit_ids, "")).as_py():
        raise InvalidInputError(f"an empty {unit} id cannot be assigned")
