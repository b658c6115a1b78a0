"""Summarize an analysis as a table with a row for each metric and variant."""

from __future__ import annotations

import pyarrow as pa

from ml.experiments.analysis.analysis import ExperimentAnalysis


def summarize_analysis(analysis: ExperimentAnalysis) -> pa.Table:
    """Return effects with the intervals of the deciding inference; relative effects are fractions."""
    always = analysis.experiment.decision.inference == "always_valid"
    rows = []
    for result in analysis.results:
        shown = result.always_valid if always else result.single_look
        rows.append(
            {
                "metric": result.metric,
                "variant": result.variant,
                "role": result.role,
                "units": result.estimate.units,
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
            }
        )
    return pa.Table.from_pylist(rows)
