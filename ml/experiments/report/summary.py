"""Summarize an analysis as a table with a row for each metric and variant."""

from __future__ import annotations

from math import isfinite

import pyarrow as pa

from ml.experiments.analysis.analysis import ExperimentAnalysis

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("metric", "variant", "role")),
        *((name, pa.int64()) for name in ("units", "control_units", "variant_units")),
        *(
            (name, pa.float64())
            for name in (
                "control_value",
                "variant_value",
                "absolute_effect",
                "absolute_low",
                "absolute_high",
                "relative_effect",
                "relative_low",
                "relative_high",
                "corrected_p",
                "probability_better",
                "variance_explained",
            )
        ),
        ("changed", pa.bool_()),
        ("missing", pa.string()),
    ]
)


def summarize_analysis(analysis: ExperimentAnalysis) -> pa.Table:
    """Return effects with the interval and p-value of the deciding inference; relative effects are fractions.

    Values without units are null, and so is a bound that an interval does not have; `missing` says why an effect
    has no interval.
    """
    rows = []
    for result in analysis.results:
        shown = result.decisive
        rows.append(
            {
                "metric": result.metric,
                "variant": result.variant,
                "role": result.role,
                "units": result.estimate.units,
                "control_units": result.estimate.control_units,
                "variant_units": result.estimate.treatment_units,
                "control_value": result.estimate.control,
                "variant_value": result.estimate.treatment,
                "absolute_effect": shown.absolute.value,
                "absolute_low": shown.absolute.low,
                "absolute_high": shown.absolute.high,
                "relative_effect": shown.relative.value,
                "relative_low": shown.relative.low,
                "relative_high": shown.relative.high,
                "corrected_p": result.corrected_p,
                "probability_better": result.bayesian.probability_better,
                "variance_explained": result.explained,
                "changed": result.changed,
                "missing": result.missing,
            }
        )
    return pa.Table.from_pylist([{name: _to_cell(value) for name, value in row.items()} for row in rows], _SCHEMA)


def _to_cell(value: object) -> object:
    """Return NaN and infinity as null."""
    return None if isinstance(value, float) and not isfinite(value) else value
