"""Resolve exposure rows to the units of an analysis, each with a single variant, by a written rule.

The mart has a row for each unit id and variant, with the person that stitching determined for the id. A person
counts once, from the first exposure. A person who saw two variants (two devices before logging in, or a unit moved
by a ramp) counts for the first of them (`mixed_units: first`: intention to treat, unbiased but diluted) or not at
all (`exclude`: undiluted effects, but biased if the shares are unequal). Both cases are counted and reported.
Units with an override and variants that the file does not name are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I8, I16, I32, I64, Bools
from ml.arrays.hashing import hash_column
from ml.errors import InvalidInputError
from ml.experiments.definition.definition import Experiment

UNSEGMENTED = "(none)"
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class Units:
    """The units of an experiment, in the order of their ids.

    Attributes:
        variants: names of the variants, control first.
        segments: names of the segments.
        ids: canonical persons, string array (n_units,).
        variant: index into `variants`, int8, (n_units,).
        segment: index into `segments`, int16, (n_units,).
        exposed_at: µs since 1970 UTC, int64, (n_units,).
        step: ramp step at exposure, int16, (n_units,).
    """

    variants: tuple[str, ...]
    segments: tuple[str, ...]
    ids: pa.Array
    variant: I8
    segment: I16
    exposed_at: I64
    step: I16

    def __len__(self) -> int:
        return len(self.variant)

    def cohort_day(self, starts_at: datetime) -> I32:
        """Return the whole days from the start of the experiment to each unit's first exposure, (n_units,)."""
        start = _to_microseconds(starts_at)
        return np.maximum((self.exposed_at - start) // _MICROSECONDS_A_DAY, 0).astype(np.int32)

    def observed_days(self, as_of: datetime) -> I32:
        """Return the whole days from each unit's first exposure to `as_of`, (n_units,)."""
        return ((_to_microseconds(as_of) - self.exposed_at) // _MICROSECONDS_A_DAY).astype(np.int32)


@dataclass(frozen=True)
class ExposureCounts:
    """Counts of exposure rows and units.

    Attributes:
        rows: exposure rows.
        units: units of the analysis.
        mixed_units: persons who saw more than one variant.
        excluded_units: persons who were excluded because of that.
        override_rows: rows of units with an override.
        unknown_variant_rows: rows with a variant that the file does not name.
        outside_period_rows: rows outside of the experiment's period.
    """

    rows: int
    units: int
    mixed_units: int
    excluded_units: int
    override_rows: int
    unknown_variant_rows: int
    outside_period_rows: int

    @property
    def mixed_share(self) -> float:
        """Return the share of persons who saw more than one variant."""
        persons = self.units + self.excluded_units
        return self.mixed_units / persons if persons else 0.0


def resolve_units(exposures: pa.Table, experiment: Experiment) -> tuple[Units, ExposureCounts]:
    """Resolve exposures to units by the rule of this module.

    Exposures outside of [starts_at, ends_at) do not count.

    Args:
        exposures: `unit_id, user_id, variant` (string or dictionary), `first_exposed_at` (timestamp) and
            optionally `segment`; rows of this experiment only.
        experiment: definition of the experiment.

    Raises:
        InvalidInputError: a column is missing.
    """
    for name in ("unit_id", "user_id", "variant", "first_exposed_at"):
        if name not in exposures.column_names:
            raise InvalidInputError(
                f"exposures have no column {name!r}; they have: {', '.join(exposures.column_names)}"
            )
    names = (experiment.control, *experiment.treatments)
    code = _encode(exposures["variant"], names)
    exposed_at = pc.cast(exposures["first_exposed_at"], pa.timestamp("us", tz="UTC"))
    times = pc.cast(exposed_at, pa.int64()).to_numpy()
    keep = code >= 0
    unknown = int(np.count_nonzero(~keep))
    overridden = 0
    if experiment.overrides:
        forced = pc.is_in(exposures["unit_id"], value_set=pa.array(list(experiment.overrides), pa.string()))
        forced_rows = np.asarray(forced)
        overridden = int(np.count_nonzero(forced_rows & keep))
        keep &= ~forced_rows
    inside = (times >= _to_microseconds(experiment.starts_at)) & (times < _to_microseconds(experiment.ends_at))
    outside = int(np.count_nonzero(keep & ~inside))
    keep &= inside
    rows = np.flatnonzero(keep)
    person, ids = _factorize(exposures["user_id"], rows)
    first, mixed = _find_first_rows(person, times[rows], code[rows], len(ids))
    if experiment.mixed_units == "exclude":
        first, ids = first[~mixed], ids.filter(pa.array(~mixed))
    chosen = rows[first]
    segments, segment = _encode_segments(exposures, chosen)
    units = Units(
        variants=names,
        segments=segments,
        ids=ids,
        variant=code[chosen].astype(np.int8),
        segment=segment,
        exposed_at=times[chosen],
        step=_find_steps(experiment, times[chosen]),
    )
    counts = ExposureCounts(
        rows=exposures.num_rows,
        units=len(units),
        mixed_units=int(np.count_nonzero(mixed)),
        excluded_units=int(np.count_nonzero(mixed)) if experiment.mixed_units == "exclude" else 0,
        override_rows=overridden,
        unknown_variant_rows=unknown,
        outside_period_rows=outside,
    )
    return units, counts


def _encode(column: pa.ChunkedArray, names: tuple[str, ...]) -> I16:
    """Return the index of each value in `names`, -1 for others.

    The dictionary is compared once per distinct string.
    """
    encoded = _combine(column)
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    legal = {name: index for index, name in enumerate(names)}
    lookup = np.array([legal.get(value, -1) for value in encoded.dictionary.to_pylist()] + [-1], dtype=np.int16)
    indices = pc.fill_null(encoded.indices, len(lookup) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(lookup[indices], dtype=np.int16)


def _factorize(column: pa.ChunkedArray, rows: I64) -> tuple[I32, pa.Array]:
    """Number the distinct values in the order of their first row.

    Usually each person has a single row. Distinct hashes prove that in a third of the time and memory of a
    dictionary.
    """
    values = _combine(column if len(rows) == len(column) else column.take(pa.array(rows)))
    if not pa.types.is_dictionary(values.type):
        hashes = np.sort(hash_column(values, 0))
        if not (hashes[1:] == hashes[:-1]).any():
            return np.arange(len(values), dtype=np.int32), values
        values = values.dictionary_encode()
    used = np.unique(values.indices.to_numpy(zero_copy_only=False))
    if len(used) == len(values.dictionary):
        return values.indices.to_numpy(zero_copy_only=False), values.dictionary
    return _factorize(pa.chunked_array([values.cast(values.type.value_type)]), np.arange(len(values)))


def _combine(column: pa.ChunkedArray) -> pa.Array:
    """Return the column as a single array."""
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], column.type)
    return combined


def _find_first_rows(person: I32, times: I64, code: I16, n_persons: int) -> tuple[I64, Bools]:
    """Return the row of each person's earliest exposure (ties: lower variant index), and who saw two variants."""
    if len(person) == n_persons:
        first = np.empty(n_persons, dtype=np.int64)
        first[person] = np.arange(n_persons)
        return first, np.zeros(n_persons, dtype=bool)
    order = np.lexsort((code, times, person))
    ordered = person[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else order
    codes = code[order]
    mixed = (
        np.maximum.reduceat(codes, starts) != np.minimum.reduceat(codes, starts)
        if len(order)
        else np.zeros(0, bool)
    )
    return order[starts], mixed


def _encode_segments(exposures: pa.Table, rows: I64) -> tuple[tuple[str, ...], I16]:
    """Return the names of the segments and the segment of each row."""
    if "segment" not in exposures.column_names:
        return (UNSEGMENTED,), np.zeros(len(rows), dtype=np.int16)
    column = pc.fill_null(pc.cast(exposures["segment"], pa.string()), UNSEGMENTED)
    names = tuple(sorted(pc.unique(column).to_pylist())) or (UNSEGMENTED,)
    return names, _encode(column, names)[rows].astype(np.int16)


def _find_steps(experiment: Experiment, times: I64) -> I16:
    """Return the ramp step in force at each time."""
    starts = [_to_microseconds(step.starts_at) for step in experiment.steps]
    return np.maximum(np.searchsorted(starts, times, side="right") - 1, 0).astype(np.int16)


def _to_microseconds(moment: datetime) -> int:
    """Return µs since 1970 UTC."""
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
