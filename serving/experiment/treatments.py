"""Applies experiments to answers: which variants a request sees, what they change, and the exposures to log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ml.decisions.activity.state_change import StateChange, describe_exposure
from ml.decisions.rules.rule_set import RuleSet
from ml.experiments.definition.assignment import assign_unit
from ml.experiments.definition.service_changes import ServiceChanges
from ml.experiments.definition.targeting import build_targeting_context
from ml.settings.decisions import DiversitySettings
from serving.decide.rule_book import ExperimentBook
from serving.privacy.personalization import has_refused
from serving.requests import RecommendationRequest
from serving.state.online import OnlineState

UNITS: Mapping[str, str] = {"user": "user_id", "anonymous": "anonymous_id", "session": "session_id"}
"""The field of a request that holds the id of an experiment's unit."""
RECOMMENDATION_ASPECTS = frozenset({"model", "reranking", "rules"})
DECISION_ASPECTS = frozenset({"rules", "content"})
NO_CHANGES = ServiceChanges()


@dataclass(frozen=True)
class Exposure:
    """A variant that one answer shows to one unit."""

    experiment_id: str
    unit_type: str
    unit_id: str
    variant: str


@dataclass(frozen=True)
class Treatment:
    """What experiments change about one answer.

    Attributes:
        changes: What the variants change.
        exposures: The variants that the answer shows.
        experiment_of: The experiment behind each aspect that is changed.
    """

    changes: ServiceChanges = NO_CHANGES
    exposures: tuple[Exposure, ...] = ()
    experiment_of: Mapping[str, str] = field(default_factory=dict)

    def change_rules(self, rules: RuleSet) -> RuleSet:
        """Return the rules with the variant's change."""
        change = self.changes.rules
        return rules if change is None else rules.replace_rules(change.without, change.added)

    def change_diversity(self, settings: DiversitySettings) -> DiversitySettings:
        """Return the settings of the list's composition with the variant's values."""
        change = self.changes.reranking
        return settings if change is None else settings.model_copy(update=change.model_dump(exclude_none=True))

    def variants(self) -> dict[str, str]:
        """Return the variant by experiment."""
        return {exposure.experiment_id: exposure.variant for exposure in self.exposures}


NO_TREATMENT = Treatment()


class TreatmentAssigner:
    """Assigns the units of a request to variants.

    Args:
        book: The experiments that are defined.
        state: Which exposures were logged before.
    """

    def __init__(self, book: ExperimentBook, state: OnlineState) -> None:
        self.book = book
        self.state = state

    def assign(
        self,
        request: RecommendationRequest,
        aspects: frozenset[str],
        facts: Mapping[str, Any],
        at: dt.datetime,
        *,
        has_challenger: bool,
    ) -> Treatment:
        """Assign the request's units to the experiments about an aspect of this answer.

        All variants count as exposures, the control too, because the others are compared with it. An experiment
        about the model does not run while there is no challenger, so that nobody is counted who could not be
        treated. Somebody who opted out takes part in nothing.

        Args:
            request: Whose units are assigned.
            aspects: What the answer is made of: `model`, `reranking`, `rules`, `content`.
            facts: What the targeting of an experiment may ask about.
            at: Time of the request.
            has_challenger: Whether a second bundle is loaded.
        """
        experiments = self.book.experiments
        relevant = [experiment for experiment in experiments.experiments.values() if experiment.aspects & aspects]
        if not relevant or not self.may_take_part(request):
            return NO_TREATMENT
        context = build_targeting_context({**facts, "slot": request.slot, "is_known": request.user_id is not None})
        changes: dict[str, Any] = {}
        experiment_of: dict[str, str] = {}
        exposures: list[Exposure] = []
        for experiment in relevant:
            unit = getattr(request, UNITS[experiment.unit])
            if unit is None or (experiment.slots and request.slot not in experiment.slots):
                continue
            if "model" in experiment.aspects & aspects and not has_challenger:
                continue
            assignment = assign_unit(experiments, experiment.id, unit, context, at)
            if assignment.variant is None:
                continue
            variant_changes = experiment.variants[assignment.variant].changes
            for name in experiment.aspects & aspects:
                if getattr(variant_changes, name) is not None:
                    changes[name], experiment_of[name] = getattr(variant_changes, name), experiment.id
            exposures.append(Exposure(experiment.id, experiment.unit, unit, assignment.variant))
        return Treatment(ServiceChanges(**changes), tuple(exposures), experiment_of)

    def new_exposure_events(
        self, request: RecommendationRequest, treatment: Treatment, segment: str | None, at: float
    ) -> list[dict[str, Any]]:
        """Return an `exposure` event for each variant that is shown to its unit for the first time."""
        if request.person is None:
            return []
        visitor = self.state.activity.find_visitor(request.person)
        ids = {name: getattr(request, name) for name in UNITS.values() if getattr(request, name) is not None}
        events = []
        for exposure in treatment.exposures:
            detail = describe_exposure(exposure.experiment_id, exposure.unit_id, exposure.variant)
            if visitor is not None and detail in visitor.exposures:
                continue
            self.state.note(
                StateChange(
                    request.person, "exposure", at, detail=detail, lists_personalization=None, lists_location=None
                )
            )
            properties = {"unit_type": exposure.unit_type, "unit_id": exposure.unit_id, "segment": segment}
            events.append(
                {
                    "event_type": "exposure",
                    "occurred_at": at,
                    "experiment_id": exposure.experiment_id,
                    "variant": exposure.variant,
                    "properties": {name: value for name, value in properties.items() if value is not None},
                    **ids,
                }
            )
        return events

    def may_take_part(self, request: RecommendationRequest) -> bool:
        """Return whether the person of a request is known, did not opt out and did not withdraw consent."""
        if request.person is None:
            return False
        profile = self.state.profile_or_opt_out(request.person)
        return not has_refused(self.state, request.keys, profile)
