"""The typed form of experiments.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from ml.errors import TesseraError
from ml.experiments.definition.metrics import Metric
from ml.experiments.definition.service_changes import ASPECTS, ServiceChanges, parse_service_changes

UNITS: tuple[str, ...] = ("user", "anonymous", "session")


class _Model(BaseModel):
    """Base class of immutable models without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(_Model):
    """A variant of an experiment.

    The payload defines what the variant is. The service acts on a model, reranking settings, rules and content,
    see `ml.experiments.definition.service_changes`. Other keys are for whoever shows the variant.
    """

    share: float = Field(gt=0, le=1)
    description: str = ""
    payload: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("payload")
    @classmethod
    def _check_payload(cls, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check the part of the payload that the service acts on."""
        try:
            parse_service_changes(payload)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ValueError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
        return payload

    @cached_property
    def changes(self) -> ServiceChanges:
        """Return what the service does for this variant."""
        return parse_service_changes(self.payload)


class RampStep(_Model):
    """A step of a ramp.

    From `from` on, the share `traffic` of the eligible units takes part. `shares` may let treatments grow but not
    shrink.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    starts_at: AwareDatetime = Field(alias="from")
    traffic: float = Field(gt=0, le=1)
    shares: Mapping[str, float] | None = None


class GuardrailMetric(_Model):
    """A metric that must not get worse by more than `margin`, relative to control."""

    metric: str
    margin: float = Field(gt=0, lt=1)


class DecisionRule(_Model):
    """How the experiment will be decided, stated before its start."""

    inference: Literal["always_valid", "group_sequential", "fixed"] = "always_valid"
    """Which interval decides: valid at every look, at planned looks, or once at the end."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    planned_units: int = Field(default=10_000, ge=100)
    """Units of control and a treatment together, from `tessera experiment design`; it tunes the intervals."""
    looks: int = Field(default=5, ge=1, le=50)
    """Planned looks of a group sequential test, evenly spaced in units."""
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"
    minimum_days: int = Field(default=7, ge=0)
    """No variant is shipped earlier, so that a whole week is observed; harm stops the experiment at any time."""
    guardrails: Literal["not_breached", "held"] = "not_breached"
    """What shipping requires: no proof of harm beyond the margin, or proof that there is none."""


class Experiment(_Model):
    """A randomized experiment. `id` is its key in the file."""

    id: str = ""
    hypothesis: str = Field(min_length=10)
    unit: Literal["user", "anonymous", "session"]
    variants: Mapping[str, Variant]
    control: str = "control"
    targeting: str | None = None
    slots: tuple[str, ...] = ()
    """Slots in which the variants take effect; none means every slot."""
    primary_metric: str
    secondary_metrics: tuple[str, ...] = ()
    guardrails: tuple[GuardrailMetric, ...] = ()
    minimum_detectable_effect: float = Field(gt=0, lt=10)
    """Smallest relative effect on the primary metric that is worth detecting."""
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    layer: str | None = None
    layer_range: tuple[float, float] = (0.0, 1.0)
    """The experiment's range of the layer; experiments of a layer exclude each other by their ranges."""
    ramp: tuple[RampStep, ...] = ()
    overrides: Mapping[str, str] = Field(default_factory=dict)
    """Unit ids that always see a variant, for testing; the analysis ignores them."""
    mixed_units: Literal["first", "exclude"] = "first"
    """Whether a person who saw two variants counts for the first of them, or not at all."""
    salt: str = ""
    decision: DecisionRule = DecisionRule()

    @property
    def assignment_salt(self) -> str:
        """Return the salt of the variant hash: the id, unless the file sets another."""
        return self.salt or self.id

    @property
    def treatments(self) -> tuple[str, ...]:
        """Return all variants but the control, in the order of the file."""
        return tuple(name for name in self.variants if name != self.control)

    @cached_property
    def aspects(self) -> frozenset[str]:
        """Return the aspects of the service's answers that at least one variant changes."""
        return frozenset(
            name
            for variant in self.variants.values()
            for name in ASPECTS
            if getattr(variant.changes, name) is not None
        )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Return primary, secondary and guardrail metrics without repeats."""
        guardrails = (guardrail.metric for guardrail in self.guardrails)
        return tuple(dict.fromkeys((self.primary_metric, *self.secondary_metrics, *guardrails)))

    @property
    def steps(self) -> tuple[RampStep, ...]:
        """Return the ramp; without a ramp all units take part from the start."""
        return self.ramp or (RampStep.model_validate({"from": self.starts_at, "traffic": 1.0}),)

    def is_running(self, at: datetime) -> bool:
        """Return whether units are assigned at this time."""
        return self.starts_at <= at < self.ends_at

    def step_index(self, at: datetime) -> int:
        """Return the index of the ramp step in force at this time, -1 before the first."""
        return sum(step.starts_at <= at for step in self.steps) - 1

    def shares_of_step(self, index: int) -> dict[str, float]:
        """Return the share of each variant among the units that take part in a step of the ramp."""
        shares = {name: variant.share for name, variant in self.variants.items()}
        for step in self.steps[: index + 1]:
            if step.shares is not None:
                shares = dict(step.shares)
        return shares

    def variant_edges(self, index: int) -> list[tuple[float, str]]:
        """Divide [0, 1) into pieces `(upper edge, variant)` for a step of the ramp.

        Pieces of earlier steps stay where they are. What a treatment gains in a step is cut from the front of the
        control's piece, so a unit that saw a treatment keeps it through the whole ramp.
        """
        edges: list[tuple[float, str]] = []
        held = dict.fromkeys(self.treatments, 0.0)
        edge = 0.0
        for step in range(index + 1):
            shares = self.shares_of_step(step)
            for name in self.treatments:
                gain = shares[name] - held[name]
                if gain > 0:
                    edge += gain
                    held[name] = shares[name]
                    edges.append((edge, name))
        edges.append((1.0, self.control))
        return edges

    def shares_change(self) -> bool:
        """Return whether the ramp changes the shares of the variants, so that steps are compared separately."""
        first = self.shares_of_step(0)
        return any(self.shares_of_step(index) != first for index in range(1, len(self.steps)))


class Layer(_Model):
    """Experiments of the same layer exclude each other by their ranges; layers are independent of each other."""

    description: str = ""
    salt: str = ""


class Holdout(_Model):
    """Units that are kept out of some experiments for a time, to measure the combined effect of all of them."""

    share: float = Field(gt=0, le=0.5)
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    layers: tuple[str, ...] = ()
    """Layers that it covers; none means every experiment."""
    description: str = ""


class GlobalControl(_Model):
    """Units that never take part in any experiment."""

    share: float = Field(default=0.0, ge=0, le=0.2)
    salt: str = "global_control"


class ExperimentDefinitions(_Model):
    """The contents of experiments.yaml, with the metric library merged in."""

    version: Literal[1] = 1
    global_control: GlobalControl = GlobalControl()
    layers: Mapping[str, Layer] = Field(default_factory=dict)
    holdouts: Mapping[str, Holdout] = Field(default_factory=dict)
    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    experiments: Mapping[str, Experiment] = Field(default_factory=dict)

    def get(self, experiment_id: str) -> Experiment:
        """Return the experiment with this id.

        Raises:
            UnknownExperimentError: no experiment has this id; the message lists the existing ids.
        """
        if experiment_id not in self.experiments:
            ids = ", ".join(sorted(self.experiments)) or "none"
            raise UnknownExperimentError(f"unknown experiment {experiment_id!r}; legal: {ids}")
        return self.experiments[experiment_id]

    def holdouts_over(self, experiment: Experiment) -> dict[str, Holdout]:
        """Return the holdouts that cover an experiment by its layer."""
        return {
            name: holdout
            for name, holdout in self.holdouts.items()
            if not holdout.layers or experiment.layer in holdout.layers
        }


class UnknownExperimentError(TesseraError, KeyError):
    """No experiment has this id."""

    def __str__(self) -> str:
        return str(self.args[0])
