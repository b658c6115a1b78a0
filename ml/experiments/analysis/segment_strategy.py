"""Compare treating only some segments with treating all users alike, from a randomized experiment.

Control and treatment are randomized over all users. The gain of a policy that treats only some segments follows
from the effects inside and outside of them, without a third arm. Compared with treating everybody, it gains minus
the effect on those left out; compared with treating nobody, it gains the effect on those treated; each is weighted
by their share.
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
    """Targeting some segments compared with the two ways of treating all users alike.

    All inferences are always-valid. Absolute values are in the metric's unit per unit of the whole population,
    relative values in terms of the control's value.

    Attributes:
        experiment_id: id of the experiment.
        variant: name of the treatment.
        segments: names of the targeted segments.
        metric: name of the primary metric.
        share: share of the units in the targeted segments.
        units_inside: units of both arms in the targeted segments.
        units_outside: units of both arms in the other segments.
        inside: effect in the targeted segments.
        outside: effect in the other segments.
        against_nobody: gain over treating nobody.
        against_everybody: gain over treating everybody.
        verdict: the better policy, if it is decided.
    """

    experiment_id: str
    variant: str
    segments: tuple[str, ...]
    metric: str
    share: float
    units_inside: int
    units_outside: int
    inside: InferenceResult
    outside: InferenceResult
    against_nobody: InferenceResult
    against_everybody: InferenceResult
    verdict: Literal["target", "treat everybody", "treat nobody", "not decided"]


def compare_strategy(
    definitions: ExperimentDefinitions,
    experiment_id: str,
    segments: Sequence[str],
    exposures: pa.Table,
    outcomes: pa.Table,
    as_of: datetime,
    settings: ExperimentSettings,
) -> StrategyResult:
    """Compare treating only these segments with treating everybody and nobody, by the primary metric.

    The first treatment of the file is compared; the tables are those of `analyse_experiment`.

    Raises:
        InvalidInputError: no exposed unit is in the segments (the message lists the existing ones), all units are,
            or the metric is a ratio or quantile, whose value is no mean over units.
    """
    experiment = definitions.get(experiment_id)
    metric = definitions.metrics[experiment.primary_metric]
    if isinstance(metric, QuantileMetric) or metric.kind in RATIO_KINDS:
        raise InvalidInputError(
            f"{experiment.primary_metric} is a {metric.kind}; a strategy needs a mean or proportion"
        )
    units, _ = resolve_units(exposures, experiment)
    unknown = sorted(set(segments) - set(units.segments))
    if unknown or not segments:
        raise InvalidInputError(
            f"no unit is in {', '.join(unknown) or 'no segment'}; legal: {', '.join(units.segments)}"
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
        raise InvalidInputError("all units are in these segments, so targeting them means treating everybody")
    everybody = estimate_effect(moments, 1)
    inside, outside = (
        estimate_effect(moments.select_strata(chosen), 1),
        estimate_effect(moments.select_strata(others), 1),
    )
    share = inside.units / (inside.units + outside.units)
    rule = experiment.decision

    def infer(effect: EffectEstimate) -> InferenceResult:
        return infer_always_valid(effect, rule.alpha, rule.planned_units, settings.burn_in_units)

    nobody = infer(_compute_policy_gain(inside, share, everybody))
    everyone = infer(_compute_policy_gain(outside, -(1 - share), everybody))
    better = 1 if metric.better == "higher" else -1
    return StrategyResult(
        experiment_id,
        experiment.treatments[0],
        tuple(segments),
        experiment.primary_metric,
        share,
        inside.units,
        outside.units,
        infer(inside),
        infer(outside),
        nobody,
        everyone,
        _judge_strategy(nobody, everyone, better),
    )


def _compute_policy_gain(effect: EffectEstimate, weight: float, everybody: EffectEstimate) -> EffectEstimate:
    """Express an effect on part of the units as a change of the population's mean, relative to its control."""
    base = everybody.control
    return replace(
        effect,
        control=base,
        treatment=base + weight * effect.absolute,
        control_variance=weight**2 * effect.control_variance,
        treatment_variance=weight**2 * effect.treatment_variance,
    )


def _judge_strategy(
    nobody: InferenceResult, everyone: InferenceResult, better: int
) -> Literal["target", "treat everybody", "treat nobody", "not decided"]:
    """Return the policy that is certainly better than the others."""

    def is_certain(inference: InferenceResult, sign: int) -> bool:
        return (inference.absolute.low if sign > 0 else -inference.absolute.high) > 0

    if is_certain(nobody, better) and is_certain(everyone, better):
        return "target"
    if is_certain(everyone, -better):
        return "treat everybody"
    if is_certain(nobody, -better):
        return "treat nobody"
    return "not decided"
