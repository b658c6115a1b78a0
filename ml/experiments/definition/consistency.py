"""Check the rules between the parts of experiments.yaml that no single field can check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import combinations, pairwise

from ml.decisions.rules.rule_set import compile_rule
from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.metrics import MEASURES, QuantileMetric
from ml.experiments.definition.targeting import compile_targeting
from ml.expressions.language import ExpressionError
from ml.site.yaml_lines import Location

_TOLERANCE = 1e-9
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

Inconsistency = tuple[Location, str]


def find_inconsistencies(definitions: ExperimentDefinitions) -> Iterator[Inconsistency]:
    """Yield the location and a message for every violated rule."""
    for name, metric in definitions.metrics.items():
        for measure in metric.measures:
            if measure not in MEASURES:
                yield ("metrics", name), f"unknown measure {measure!r}; {_list_legal(measure, MEASURES)}"
    for name, holdout in definitions.holdouts.items():
        location = ("holdouts", name)
        if holdout.starts_at >= holdout.ends_at:
            yield (*location, "ends_at"), "must be after starts_at"
        for layer in holdout.layers:
            if layer not in definitions.layers:
                yield (*location, "layers"), f"unknown layer {layer!r}; {_list_legal(layer, definitions.layers)}"
    for experiment in definitions.experiments.values():
        yield from _check_variants(experiment)
        yield from _check_times(experiment)
        yield from _check_ramp(experiment)
        yield from _check_references(experiment, definitions)
    yield from _check_layers(definitions)
    yield from _check_aspects(definitions)


def _check_variants(experiment: Experiment) -> Iterator[Inconsistency]:
    """Check the id, the number of variants, their shares, the control and the overrides."""
    path: Location = ("experiments", experiment.id)
    if not _ID.fullmatch(experiment.id):
        yield path, "an id consists of lower-case letters, digits, - and _ and begins with a letter or digit"
    if len(experiment.variants) < 2:
        yield (*path, "variants"), f"needs at least two, has {len(experiment.variants)}"
    total = sum(variant.share for variant in experiment.variants.values())
    if abs(total - 1) > _TOLERANCE:
        yield (*path, "variants"), f"shares sum to {total:g}, not to 1; use `ramp` to let fewer units take part"
    if experiment.control not in experiment.variants:
        yield (
            (*path, "control"),
            f"{experiment.control!r} is not a variant; {_list_legal(experiment.control, experiment.variants)}",
        )
    for unit, variant in experiment.overrides.items():
        if variant not in experiment.variants:
            yield (
                (*path, "overrides", unit),
                f"{variant!r} is not a variant; {_list_legal(variant, experiment.variants)}",
            )


def _check_times(experiment: Experiment) -> Iterator[Inconsistency]:
    """Check that the experiment ends after its start."""
    if experiment.starts_at >= experiment.ends_at:
        yield (
            ("experiments", experiment.id, "ends_at"),
            f"{experiment.ends_at.isoformat()} must be after starts_at {experiment.starts_at.isoformat()}",
        )


def _check_ramp(experiment: Experiment) -> Iterator[Inconsistency]:
    """Check that the ramp begins at the start, and that traffic and the shares of treatments never shrink."""
    path: Location = ("experiments", experiment.id, "ramp")
    steps = experiment.ramp
    if steps and steps[0].starts_at != experiment.starts_at:
        yield (*path, 0, "from"), f"the first step must begin at starts_at, {experiment.starts_at.isoformat()}"
    for index, (earlier, later) in enumerate(pairwise(steps), start=1):
        if later.starts_at <= earlier.starts_at:
            yield (*path, index, "from"), "must be after the previous step"
        if later.traffic < earlier.traffic:
            yield (
                (*path, index, "traffic"),
                f"{later.traffic:g} is below {earlier.traffic:g}: units would leave the experiment",
            )
    for index, step in enumerate(steps):
        if step.shares is None:
            continue
        if set(step.shares) != set(experiment.variants):
            yield (*path, index, "shares"), f"must name every variant: {', '.join(experiment.variants)}"
            return
        total = sum(step.shares.values())
        if abs(total - 1) > _TOLERANCE or min(step.shares.values()) < 0:
            yield (*path, index, "shares"), f"must be at least 0 and sum to 1, not to {total:g}"
    for index in range(1, len(steps)):
        before, after = experiment.shares_of_step(index - 1), experiment.shares_of_step(index)
        for name in experiment.treatments:
            if after[name] < before[name] - _TOLERANCE:
                yield (
                    (*path, index, "shares"),
                    f"{name} shrinks from {before[name]:g} to {after[name]:g}: its units would change variant",
                )


def _check_references(experiment: Experiment, definitions: ExperimentDefinitions) -> Iterator[Inconsistency]:
    """Check metrics, the layer, rules and targeting."""
    path: Location = ("experiments", experiment.id)
    named: list[tuple[Location, str]] = [((*path, "primary_metric"), experiment.primary_metric)]
    named += [((*path, "secondary_metrics", i), name) for i, name in enumerate(experiment.secondary_metrics)]
    named += [((*path, "guardrails", i, "metric"), g.metric) for i, g in enumerate(experiment.guardrails)]
    for location, name in named:
        if name not in definitions.metrics:
            yield location, f"unknown metric {name!r}; {_list_legal(name, definitions.metrics)}"
    primary = definitions.metrics.get(experiment.primary_metric)
    if isinstance(primary, QuantileMetric) and experiment.decision.inference == "group_sequential":
        yield (
            (*path, "decision", "inference"),
            "a group sequential test needs a mean, proportion or ratio as primary metric; legal for a quantile: "
            "always_valid, fixed",
        )
    low, high = experiment.layer_range
    if not 0 <= low < high <= 1:
        yield (*path, "layer_range"), f"[{low:g}, {high:g}] must lie in [0, 1] and increase"
    if experiment.layer is None and experiment.layer_range != (0.0, 1.0):
        yield (*path, "layer_range"), "needs a layer"
    if experiment.layer is not None and experiment.layer not in definitions.layers:
        yield (
            (*path, "layer"),
            f"unknown layer {experiment.layer!r}; {_list_legal(experiment.layer, definitions.layers)}",
        )
    for name, variant in experiment.variants.items():
        for number, rule in enumerate(variant.changes.rules.added if variant.changes.rules else ()):
            try:
                compile_rule(rule)
            except ExpressionError as error:
                yield (*path, "variants", name, "payload", "rules", "with", number, "when"), str(error)
    if experiment.targeting is not None:
        try:
            compile_targeting(experiment.targeting)
        except ExpressionError as error:
            yield (*path, "targeting"), str(error)


def _check_layers(definitions: ExperimentDefinitions) -> Iterator[Inconsistency]:
    """Check that experiments of a layer use separate ranges and the same unit while both run."""
    for left, right in combinations(definitions.experiments.values(), 2):
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
                "experiments of a layer exclude each other only if they use the same unit",
            )


def _check_aspects(definitions: ExperimentDefinitions) -> Iterator[Inconsistency]:
    """Check that experiments that change the same aspect of the same answers exclude each other."""
    for left, right in combinations(definitions.experiments.values(), 2):
        shared = left.aspects & right.aspects
        in_time = left.starts_at < right.ends_at and right.starts_at < left.ends_at
        share_slots = not left.slots or not right.slots or bool(set(left.slots) & set(right.slots))
        if shared and in_time and share_slots and (left.layer is None or left.layer != right.layer):
            yield (
                ("experiments", right.id, "layer"),
                f"changes the {', '.join(sorted(shared))} in the same slots and at the same time as {left.id}: "
                "put both into the same layer with separate ranges",
            )


def _list_legal(value: str, names: Mapping[str, object] | tuple[str, ...]) -> str:
    """List the legal names, with the nearest name as a suggestion."""
    close = get_close_matches(value, list(names), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}legal: {', '.join(names) or 'none'}"
