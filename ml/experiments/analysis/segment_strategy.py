"""Whether treating one segment beats treating all alike, read off one randomised experiment.

Control and treatment are randomised over everybody. What a policy earns that treats only some segments follows
from the effects inside and outside of them, without a third arm: against treating everybody it gains minus the
effect on those left out, against treating nobody the effect on those treated, each times their share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np
import pyarrow as pa

from ml.errors import InvalidInputError
from ml.experiments.analysis.estimates import EffectEstimate, estimate_effect
from ml.experiments.analysis.exposures import resolve_units
from ml.experiments.analysis.inference import InferenceResult, infer_always_valid
from ml.experiments.analysis.moments import accumulate_moments
from ml.experiments.analysis.outcomes import compute_unit_values, join_outcomes
from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.metrics import RATIO_KINDS, QuantileMetric
from ml.settings.experiments import ExperimentSettings


@dataclass(frozen=True)
class StrategyResult:
    """Targeting some segments against the two ways of treating all alike.

    share: of the units in the targeted segments. Readings are always-valid; absolute values are in the metric's
    unit a unit of the whole population, relative ones in terms of the control's value.
    """

    experiment_id: str
    variant: str
    segments: tuple[str, ...]
    metric: str
    share: float
    inside: InferenceResult
    outside: InferenceResult
    against_nobody: InferenceResult
    against_everybody: InferenceResult
    verdict: Literal["target", "treat everybody", "treat nobody", "not decided"]


def compare_strategy(
    experiments: ExperimentDefinitions,
    experiment_id: str,
    segments: Sequence[str],
    exposures: pa.Table,
    outcomes: pa.Table,
    as_of: datetime,
    settings: ExperimentSettings,
) -> StrategyResult:
    """Compare "treat only these segments" with treating everybody and nobody, by the primary metric.

    The first treatment of the file is the one compared; tables are those of `analyse`.

    Raises:
        ValueError: no exposed unit is in the segments (the message names those there are), or the metric is a
        ratio
            or quantile, whose value is no mean over units.
    """
    experiment = experiments.get(experiment_id)
    metric = experiments.metrics[experiment.primary_metric]
    if isinstance(metric, QuantileMetric) or metric.kind in RATIO_KINDS:
        raise InvalidInputError(
            f"{experiment.primary_metric} is a {metric.kind}; a strategy needs a mean or a proportion"
        )
    units, _ = resolve_units(exposures, experiment)
    unknown = sorted(set(segments) - set(units.segments))
    if unknown or not segments:
        raise InvalidInputError(
            f"no unit is in {', '.join(unknown) or 'no segment'}; there are: {', '.join(units.segments)}"
        )
    days = join_outcomes(outcomes, units, metric.measures)
    values = compute_unit_values(metric, days, units, as_of, experiment.ends_at)
    n_segments = len(units.segments)
    group = units.variant.astype(np.int64) * n_segments + units.segment
    group[~values.matured] = -1
    moments = accumulate_moments(values.columns, group, (len(units.variants), n_segments, 1))
    chosen = [i for i, name in enumerate(units.segments) if name in segments]
    others = [i for i in range(n_segments) if i not in chosen]
    if not others:
        raise InvalidInputError("every unit is in these segments: targeting them is treating everybody")
    everybody = estimate_effect(moments, 1)
    inside, outside = estimate_effect(moments.pick(chosen), 1), estimate_effect(moments.pick(others), 1)
    share = inside.units / (inside.units + outside.units)
    rule = experiment.decision

    def read(found: EffectEstimate) -> InferenceResult:
        return infer_always_valid(found, rule.alpha, rule.planned_units, settings.burn_in_units)

    nobody = read(_policy_gain(inside, share, everybody))
    everyone = read(_policy_gain(outside, -(1 - share), everybody))
    better = 1 if metric.better == "higher" else -1
    return StrategyResult(
        experiment_id,
        experiment.treatments[0],
        tuple(segments),
        experiment.primary_metric,
        share,
        read(inside),
        read(outside),
        nobody,
        everyone,
        _verdict(nobody, everyone, better),
    )


def _policy_gain(effect: EffectEstimate, weight: float, everybody: EffectEstimate) -> EffectEstimate:
    """An effect on part of the units as a change of the whole population's mean; kept relative to its control."""
    base = everybody.control
    return replace(
        effect,
        control=base,
        treatment=base + weight * effect.absolute,
        control_variance=weight**2 * effect.control_variance,
        treatment_variance=weight**2 * effect.treatment_variance,
    )


def _verdict(
    nobody: InferenceResult, everyone: InferenceResult, better: int
) -> Literal["target", "treat everybody", "treat nobody", "not decided"]:
    def sure(reading: InferenceResult, sign: int) -> bool:
        return (reading.absolute.low if sign > 0 else -reading.absolute.high) > 0

    if sure(nobody, better) and sure(everyone, better):
        return "target"
    if sure(everyone, -better):
        return "treat everybody"
    if sure(nobody, -better):
        return "treat nobody"
    return "not decided"
