"""Rules between the parts of experiments.yaml that no single field can check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import combinations, pairwise

from ml.decisions.rules.rules import compile_rule
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.metrics import MEASURES, QuantileMetric
from ml.experiments.definition.targeting import compile_targeting
from ml.expressions.language import ExpressionError
from ml.site.yaml_lines import Location

_TOLERANCE = 1e-9
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

Finding = tuple[Location, str]


def find_inconsistencies(experiments: ExperimentDefinitions) -> Iterator[Finding]:
    """Yield `(location, message)` of every broken rule."""
    for name, metric in experiments.metrics.items():
        for measure in metric.measures:
            if measure not in MEASURES:
                yield ("metrics", name), f"no measure {measure!r}; {_legal(measure, MEASURES)}"
    for name, holdout in experiments.holdouts.items():
        place = ("holdouts", name)
        if holdout.starts_at >= holdout.ends_at:
            yield (*place, "ends_at"), "must be after starts_at"
        for layer in holdout.layers:
            if layer not in experiments.layers:
                yield (*place, "layers"), f"no layer {layer!r}; {_legal(layer, experiments.layers)}"
    for experiment in experiments.experiments.values():
        yield from _variants(experiment)
        yield from _times(experiment)
        yield from _ramp(experiment)
        yield from _references(experiment, experiments)
    yield from _layer_overlaps(experiments)
    yield from _same_aspects(experiments)


def _variants(experiment: Experiment) -> Iterator[Finding]:
    place: Location = ("experiments", experiment.id)
    if not _ID.fullmatch(experiment.id):
        yield place, "an id has lower-case letters, digits, - and _, and begins with a letter or digit"
    if len(experiment.variants) < 2:
        yield (*place, "variants"), f"needs at least two, has {len(experiment.variants)}"
    total = sum(variant.share for variant in experiment.variants.values())
    if abs(total - 1) > _TOLERANCE:
        yield (*place, "variants"), f"shares sum to {total:g}, not 1; use `ramp` to let fewer units take part"
    if experiment.control not in experiment.variants:
        yield (
            (*place, "control"),
            f"{experiment.control!r} is no variant; {_legal(experiment.control, experiment.variants)}",
        )
    for unit, variant in experiment.overrides.items():
        if variant not in experiment.variants:
            yield (
                (*place, "overrides", unit),
                f"{variant!r} is no variant; {_legal(variant, experiment.variants)}",
            )


def _times(experiment: Experiment) -> Iterator[Finding]:
    if experiment.starts_at >= experiment.ends_at:
        yield (
            ("experiments", experiment.id, "ends_at"),
            f"{experiment.ends_at.isoformat()} must be after starts_at {experiment.starts_at.isoformat()}",
        )


def _ramp(experiment: Experiment) -> Iterator[Finding]:
    place: Location = ("experiments", experiment.id, "ramp")
    steps = experiment.ramp
    if steps and steps[0].starts_at != experiment.starts_at:
        yield (*place, 0, "from"), f"the first step begins at starts_at, {experiment.starts_at.isoformat()}"
    for index, (earlier, later) in enumerate(pairwise(steps), start=1):
        if later.starts_at <= earlier.starts_at:
            yield (*place, index, "from"), "must be after the step before"
        if later.traffic < earlier.traffic:
            yield (
                (*place, index, "traffic"),
                f"{later.traffic:g} is below {earlier.traffic:g}: units in the test would drop out of it",
            )
    for index, step in enumerate(steps):
        if step.shares is None:
            continue
        if set(step.shares) != set(experiment.variants):
            yield (*place, index, "shares"), f"must name every variant: {', '.join(experiment.variants)}"
            return
        total = sum(step.shares.values())
        if abs(total - 1) > _TOLERANCE or min(step.shares.values()) < 0:
            yield (*place, index, "shares"), f"must be at least 0 and sum to 1, sum to {total:g}"
    for index in range(1, len(steps)):
        before, after = experiment.shares_of_step(index - 1), experiment.shares_of_step(index)
        for name in experiment.treatments:
            if after[name] < before[name] - _TOLERANCE:
                yield (
                    (*place, index, "shares"),
                    f"{name} shrinks from {before[name]:g} to {after[name]:g}: its units would change variant",
                )


def _references(experiment: Experiment, experiments: ExperimentDefinitions) -> Iterator[Finding]:
    place: Location = ("experiments", experiment.id)
    named: list[tuple[Location, str]] = [((*place, "primary_metric"), experiment.primary_metric)]
    named += [((*place, "secondary_metrics", i), name) for i, name in enumerate(experiment.secondary_metrics)]
    named += [((*place, "guardrails", i, "metric"), g.metric) for i, g in enumerate(experiment.guardrails)]
    for location, name in named:
        if name not in experiments.metrics:
            yield location, f"no metric {name!r}; {_legal(name, experiments.metrics)}"
    primary = experiments.metrics.get(experiment.primary_metric)
    if isinstance(primary, QuantileMetric) and experiment.decision.inference == "group_sequential":
        yield (
            (*place, "decision", "inference"),
            "planned looks need a mean, proportion or ratio as primary metric; legal for a quantile: "
            "always_valid, fixed",
        )
    low, high = experiment.layer_range
    if not 0 <= low < high <= 1:
        yield (*place, "layer_range"), f"[{low:g}, {high:g}] must lie in [0, 1] and rise"
    if experiment.layer is None and experiment.layer_range != (0.0, 1.0):
        yield (*place, "layer_range"), "needs a layer"
    if experiment.layer is not None and experiment.layer not in experiments.layers:
        yield (*place, "layer"), f"no layer {experiment.layer!r}; {_legal(experiment.layer, experiments.layers)}"
    for name, variant in experiment.variants.items():
        for number, rule in enumerate(variant.effects.rules.added if variant.effects.rules else ()):
            try:
                compile_rule(rule)
            except ExpressionError as error:
                yield (*place, "variants", name, "payload", "rules", "with", number, "when"), str(error)
    if experiment.targeting is not None:
        try:
            compile_targeting(experiment.targeting)
        except ExpressionError as error:
            yield (*place, "targeting"), str(error)


def _layer_overlaps(experiments: ExperimentDefinitions) -> Iterator[Finding]:
    for left, right in combinations(experiments.experiments.values(), 2):
        if left.layer is None or left.layer != right.layer:
            continue
        in_time = left.starts_at < right.ends_at and right.starts_at < left.ends_at
        in_range = left.layer_range[0] < right.layer_range[1] and right.layer_range[0] < left.layer_range[1]
        if in_time and in_range:
            yield (
                ("experiments", right.id, "layer_range"),
                f"{list(right.layer_range)} overlaps {left.id} {list(left.layer_range)} in layer {left.layer!r}",
            )
        if in_time and left.unit != right.unit:
            yield (
                ("experiments", right.id, "unit"),
                f"{right.unit!r} differs from {left.unit!r} of {left.id}: "
                "experiments of one layer exclude each other only by the same unit",
            )


def _same_aspects(experiments: ExperimentDefinitions) -> Iterator[Finding]:
    """Two experiments that change the same thing of the same answers must exclude each other."""
    for left, right in combinations(experiments.experiments.values(), 2):
        both = left.aspects & right.aspects
        in_time = left.starts_at < right.ends_at and right.starts_at < left.ends_at
        share_slots = not left.slots or not right.slots or bool(set(left.slots) & set(right.slots))
        if both and in_time and share_slots and (left.layer is None or left.layer != right.layer):
            yield (
                ("experiments", right.id, "layer"),
                f"changes the {', '.join(sorted(both))} in slots and at times of {left.id}: put both into one "
                "layer, each with a part of its own",
            )


def _legal(value: str, names: Mapping[str, object] | tuple[str, ...]) -> str:
    close = get_close_matches(value, list(names), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}legal: {', '.join(names) or 'none'}"
