"""Experiments take effect: which variants a request sees, what they change, and the exposures that say so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ml.decisions.activity.activity import Change, exposure_detail
from ml.decisions.rules.rules import Rules
from ml.experiments.definition.assignment import assign_unit
from ml.experiments.definition.service_changes import ServiceChanges
from ml.experiments.definition.targeting import build_targeting_context
from ml.settings.decisions import DiversitySettings
from serving.decide.rule_book import ExperimentBook
from serving.requests import RecommendationRequest
from serving.state.online import OnlineState

UNITS: Mapping[str, str] = {"user": "user_id", "anonymous": "anonymous_id", "session": "session_id"}
"""Field of a request that holds the id of an experiment's unit."""
RECOMMENDED = frozenset({"model", "reranking", "rules"})
DECIDED = frozenset({"rules", "content"})

NOTHING = ServiceChanges()


@dataclass(frozen=True)
class Shown:
    """A variant that one answer shows to one unit."""

    experiment_id: str
    unit_type: str
    unit_id: str
    variant: str


@dataclass(frozen=True)
class Trial:
    """What experiments make of one answer; `by` names the experiment behind each aspect that they change."""

    effects: ServiceChanges = NOTHING
    shown: tuple[Shown, ...] = ()
    by: Mapping[str, str] = field(default_factory=dict)

    def rules(self, rules: Rules) -> Rules:
        """The rules in force, with the variant's change."""
        change = self.effects.rules
        return rules if change is None else rules.changed(change.without, change.added)

    def diversity(self, settings: DiversitySettings) -> DiversitySettings:
        """The settings of reranking, with the variant's in their place."""
        change = self.effects.reranking
        return settings if change is None else settings.model_copy(update=change.model_dump(exclude_none=True))

    def variants(self) -> dict[str, str]:
        """Variant by experiment."""
        return {one.experiment_id: one.variant for one in self.shown}


NO_TRIAL = Trial()


class Experimenting:
    """Assigns the units of a request, and tells what that changes and what is to be logged.

    Args:
        book: the definitions in force.
        state: remembers which exposures were logged.
    """

    def __init__(self, book: ExperimentBook, state: OnlineState) -> None:
        self.book = book
        self.state = state

    def trial(
        self,
        wanted: RecommendationRequest,
        aspects: frozenset[str],
        facts: Mapping[str, Any],
        at: dt.datetime,
        *,
        has_challenger: bool,
    ) -> Trial:
        """Assign the request's units to the experiments that are about an aspect of this answer.

        All variants count as shown, the control too: it is what the others are compared with. An experiment about
        the model takes no part while there is no challenger, so that nobody is counted who could not be treated.
        Who opted out takes part in nothing.
        """
        acting = [one for one in self.book.experiments.experiments.values() if one.aspects & aspects]
        if not acting or not self._may_take_part(wanted):
            return NO_TRIAL
        context = build_targeting_context({**facts, "slot": wanted.slot, "is_known": wanted.user_id is not None})
        chosen: dict[str, Any] = {}
        by: dict[str, str] = {}
        shown: list[Shown] = []
        for experiment in acting:
            unit = getattr(wanted, UNITS[experiment.unit])
            if unit is None or (experiment.slots and wanted.slot not in experiment.slots):
                continue
            if "model" in experiment.aspects & aspects and not has_challenger:
                continue
            found = assign_unit(self.book.experiments, experiment.id, unit, context, at)
            if found.variant is None:
                continue
            effects = experiment.variants[found.variant].changes
            for name in experiment.aspects & aspects:
                if getattr(effects, name) is not None:
                    chosen[name], by[name] = getattr(effects, name), experiment.id
            shown.append(Shown(experiment.id, experiment.unit, unit, found.variant))
        return Trial(ServiceChanges(**chosen), tuple(shown), by)

    def exposures(
        self, wanted: RecommendationRequest, trial: Trial, segment: str | None, at: float
    ) -> list[dict[str, Any]]:
        """`exposure` events of what an answer shows; a unit that was told of this variant before gives none."""
        person = wanted.user_id or wanted.anonymous_id
        if person is None:
            return []
        visitor = self.state.activity.visitor(person)
        ids = {name: getattr(wanted, name) for name in UNITS.values() if getattr(wanted, name) is not None}
        events = []
        for one in trial.shown:
            detail = exposure_detail(one.experiment_id, one.unit_id, one.variant)
            if visitor is not None and detail in visitor.exposures:
                continue
            self.state.note(Change(person, "exposure", at, detail=detail))
            properties = {"unit_type": one.unit_type, "unit_id": one.unit_id, "segment": segment}
            events.append(
                {
                    "event_type": "exposure",
                    "occurred_at": at,
                    "experiment_id": one.experiment_id,
                    "variant": one.variant,
                    "properties": {name: value for name, value in properties.items() if value is not None},
                    **ids,
                }
            )
        return events

    def _may_take_part(self, wanted: RecommendationRequest) -> bool:
        person = wanted.user_id or wanted.anonymous_id
        if person is None:
            return False
        visitor = self.state.activity.visitor(person)
        return not self.state.profile(person).get("opt_out") and not (visitor and visitor.is_withdrawn)
