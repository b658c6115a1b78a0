"""The pages of the console by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from serving.console.current_bundle import CurrentBundle
from serving.console.figures import experiment_design
from serving.console.figures.audience import build_audience
from serving.console.figures.behaviour import EXTRA
from serving.console.figures.model_quality import (
    candidates_sheet,
    delivery_sheet,
    inputs_sheet,
    intent_days_sheets,
    ranker_days_sheet,
    trials_sheet,
)
from serving.console.figures.operation import (
    alarms_sheet,
    build_models,
    experiments_sheet,
    history_sheet,
    model_sheet,
)
from serving.console.figures.overview import build_overview
from serving.console.page_kinds import Build, PageAction, PageKind, PageRequest, Run, ServiceQuestion
from serving.console.page_parts import ConsolePage
from serving.console.service_pages import (
    decisions,
    experiment_times,
    funnel_form,
    health,
    people,
    people_actions,
    privacy,
    recommendations,
    rule_form,
    segments,
    settings,
)
from serving.console.sign_in.roles import Action
from serving.console.view import View
from serving.routes.models import describe_models


def _overview(request: PageRequest) -> ConsolePage:
    page = build_overview(request.bundle, request.view)
    more = (
        alarms_sheet(request.config, request.bundle),
        experiments_sheet(request.config, request.now),
        model_sheet(request.bundle),
    )
    return replace(page, sheets=[*page.sheets, *more])


def _of_bundle(build: Callable[[CurrentBundle, View], ConsolePage]) -> Build:
    """Return how a page is made that depends on the bundle and the address alone."""
    return lambda request: build(request.bundle, request.view)


async def _ask_models(question: ServiceQuestion) -> dict[str, Any]:
    return describe_models(question.tessera)


def _models(request: PageRequest) -> ConsolePage:
    page, bundle = build_models(request.bundle), request.bundle
    log = request.answer["log"] if request.answer is not None else []
    more = (
        candidates_sheet(bundle),
        ranker_days_sheet(bundle),
        *intent_days_sheets(bundle),
        delivery_sheet(bundle),
        inputs_sheet(bundle),
        trials_sheet(request.config, bundle, request.answer),
        history_sheet(bundle, log, request.fault),
    )
    return replace(page, sheets=[*page.sheets, *more])


def _file_change(propose: Run, apply: Run, needs: Action = "edit") -> dict[str, PageAction]:
    """Return the forms that show what changes in a file of the site, and write it once it is confirmed."""
    return {"propose": PageAction(propose, needs), "apply": PageAction(apply, needs)}


LIVE_SECONDS = 5.0
"""How old may be what pages say of alarms, experiments and the journal."""
PAGES = {
    "overview": PageKind("Overview", _overview, kept_seconds=LIVE_SECONDS),
    "behaviour": PageKind(
        "Behaviour",
        funnel_form.build_behaviour_page,
        extra=EXTRA,
        ask=funnel_form.ask_nothing,
        actions={
            "try": PageAction(funnel_form.load_counts, None),
            **_file_change(funnel_form.propose_funnel, funnel_form.apply_funnel),
        },
        parts={"funnel": funnel_form.load_counts},
        kept_seconds=None,
    ),
    "audience": PageKind("Audience", _of_bundle(build_audience), kept_seconds=None),
    "segments": PageKind(
        "Segments",
        segments.build_segments_page,
        has_dates=False,
        ask=segments.ask_segments,
        actions={
            "try": PageAction(segments.try_rule, None),
            **_file_change(segments.propose_rule, segments.apply_rule),
        },
        parts={"size": segments.load_size},
    ),
    "recommendations": PageKind(
        "Recommendations",
        recommendations.build_recommendations,
        has_dates=False,
        extra=("person", "segment", "country", "device", "hour", "k", "item"),
        ask=recommendations.ask_recommendations,
        actions={"look-up": people_actions.look_up_action("recommendations")},
    ),
    "decisions": PageKind(
        "Decisions",
        decisions.build_decisions,
        has_dates=False,
        extra=("slot", "at", "who", "segment", "country", "device", "week", "of"),
        ask=decisions.ask_decisions,
        actions=_file_change(rule_form.propose_rule, rule_form.apply_rule),
        parts={"condition": rule_form.check_condition},
    ),
    "experiments": PageKind(
        "Experiments",
        experiment_times.build_experiments_page,
        has_dates=False,
        extra=experiment_design.FIELDS,
        actions=_file_change(experiment_times.propose_times, experiment_times.apply_times),
    ),
    "models": PageKind("Models", _models, has_dates=False, ask=_ask_models, kept_seconds=LIVE_SECONDS),
    "health": PageKind(
        "Health",
        health.build_health_page,
        has_dates=False,
        actions={
            "acknowledge": PageAction(health.acknowledge, "edit"),
            "replay": PageAction(health.replay_letters, "edit"),
        },
        kept_seconds=LIVE_SECONDS,
    ),
    "people": PageKind(
        "People",
        people.build_person,
        has_dates=False,
        extra=("person", "id"),
        ask=people.ask_person,
        needs="people",
        actions={
            "look-up": people_actions.look_up_action("people"),
            "export": PageAction(people_actions.export, "people"),
            "erase": PageAction(people_actions.erase_person, "people"),
            "link": PageAction(people_actions.link_to_page, "people"),
        },
        parts={"events": people.load_events},
    ),
    "privacy": PageKind(
        "Privacy",
        privacy.build_privacy,
        has_dates=False,
        extra=("receipt",),
        ask=privacy.ask_privacy,
        parts={"receipt": privacy.load_receipt},
    ),
    "settings": PageKind(
        "Settings",
        settings.build_settings,
        has_dates=False,
        extra=("section", "word"),
        actions=_file_change(settings.propose, settings.apply_change, "settings"),
    ),
}
