"""The forms of the page Experiments that start a planned experiment, or stop a running one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from starlette.responses import RedirectResponse, Response

from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.definitions_file import ExperimentsFileError, load_experiments
from ml.experiments.definition.moved_times import FixedTimeError, start_at, stop_at
from ml.experiments.definition.usable_definitions import load_usable_experiments
from ml.site.definition_files import definition_file, editable_path, text_in_force
from ml.site.file_drafts import FileDraft
from serving.console.confirmation import history_sheet, show_change, write_confirmed
from serving.console.figures.experiment_design import build_design
from serving.console.figures.experiments import build_experiments
from serving.console.localized_texts import say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import ConsolePage, Form, FormField
from serving.console.service_pages.site_times import read_site_time
from serving.errors import ApiError
from serving.tessera import Tessera

START, STOP = "start", "stop"
FIELDS = ("step", "experiment", "at")
WHEN = "When, by the site's clock"
BACKDATING = dt.timedelta(hours=1)
"""How long somebody may look at a change before confirming it. Earlier times would rewrite what units saw."""


def build_experiments_page(request: PageRequest) -> ConsolePage:
    """Build the page: decisions, definitions and effects, what was changed, a plan, and the forms of an editor."""
    page = build_experiments(request.config, request.bundle, request.now)
    file = request.config.settings.experiments.file
    design = build_design(request.bundle, request.config.settings.experiments, request.view.extra)
    history = history_sheet(request.config.home, request.bundle, file)
    forms = [design.form] if design.form is not None else []
    page = replace(
        page, sheets=[*page.sheets, history, *design.sheets], forms=forms, has_forms_last=True, fault=design.fault
    )
    if not request.reader.may("edit"):
        return page
    try:
        usable = load_usable_experiments(definition_file(request.config.home, file)).definitions
    except (ExperimentsFileError, FileNotFoundError):
        return page  # the table of the definitions says what is wrong
    return replace(page, forms=[*forms, *_forms(usable, request.now)])


def _forms(definitions: ExperimentDefinitions, now: dt.datetime) -> list[Form]:
    every = definitions.experiments.values()
    planned = sorted(each.id for each in every if now < each.starts_at)
    running = sorted(each.id for each in every if each.is_running(now))
    forms = []
    if planned:
        note = "It lasts as long as planned: its end and the steps of its ramp move along with its start."
        forms.append(_form(START, "Start an experiment", planned, note))
    if running:
        note = (
            "From then on nobody is assigned a variant. The results until then stay, and the next"
            " `tessera materialize` decides on them."
        )
        forms.append(_form(STOP, "Stop an experiment", running, note))
    return forms


def _form(step: str, title: str, experiments: Sequence[str], note: str) -> Form:
    fields = [
        FormField("step", value=step, kind="hidden"),
        FormField("experiment", "Experiment", experiments[0], [(name, name) for name in experiments]),
        FormField("at", WHEN, hint=say("2026-12-24 18:00; empty for now")),
    ]
    return Form(step, title, "/console/experiments/propose", fields, "Show the change", note, changes=True)


async def propose_times(question: ServiceQuestion) -> ConsolePage:
    """Show what starting or stopping an experiment changes in the file.

    Raises:
        ApiError: 422, there is no such experiment, it cannot start or stop then, or the file would be wrong.
    """
    fields = question.read(*FIELDS)
    at = _read_time(question.tessera, fields["at"])
    fields["at"] = at.isoformat()
    draft = _draft(question.tessera, fields)[0]
    return show_change(question.tessera.config.home, draft, "/console/experiments/apply", fields)


async def apply_times(question: ServiceQuestion) -> Response:
    """Write a start or a stop that was shown, and its line of the history; the service takes it at once.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    draft, before, after = _draft(question.tessera, question.read(*FIELDS))
    line = {"name": after.id, "before": _describe(question, before), "after": _describe(question, after)}
    write_confirmed(question, draft, line)
    question.tessera.reload_definitions()
    return RedirectResponse("/console/experiments", 303)


def _describe(question: ServiceQuestion, experiment: Experiment) -> str:
    zone = ZoneInfo(question.tessera.config.settings.warehouse.site_timezone)
    return " to ".join(
        f"{time.astimezone(zone):%Y-%m-%d %H:%M}" for time in (experiment.starts_at, experiment.ends_at)
    )


def _read_time(tessera: Tessera, text: str) -> dt.datetime:
    return read_site_time(text, tessera).replace(second=0, microsecond=0)


def _draft(tessera: Tessera, fields: Mapping[str, str]) -> tuple[FileDraft, Experiment, Experiment]:
    """Return the file with a start or an end at another time, and the experiment before and after.

    Raises:
        ApiError: 422, a field is wrong, or the file is, now or then.
    """
    home, file = tessera.config.home, tessera.config.settings.experiments.file
    path, text = editable_path(home, file), text_in_force(home, file)
    try:
        experiments = load_experiments(path, text).experiments
    except ExperimentsFileError as error:
        raise ApiError(422, f"correct the file first: {error}", "experiment") from None
    name, now = fields["experiment"], tessera.clock()
    if name not in experiments:
        raise ApiError(422, f"there is no experiment {name[:64]!r}", "experiment")
    experiment, at = experiments[name], _read_time(tessera, fields["at"])
    if at < now - BACKDATING:
        raise ApiError(422, "an experiment cannot start or stop in the past: leave the time empty for now", "at")
    try:
        if fields["step"] == START:
            _require(now < experiment.starts_at, f"{name} has started already")
            after = start_at(text, experiment, at)
        elif fields["step"] == STOP:
            _require(experiment.is_running(now), f"{name} is not running")
            is_earlier = experiment.starts_at < at < experiment.ends_at
            _require(is_earlier, f"the end of {name} has to lie after its start and before its planned end")
            after = stop_at(text, experiment, at)
        else:
            raise ApiError(422, f"step is {fields['step'][:40]!r}; it may be {START} or {STOP}", "step")
        return FileDraft(path, text, after), experiment, load_experiments(path, after).experiments[name]
    except (ExperimentsFileError, FixedTimeError) as error:
        raise ApiError(422, str(error), "experiment") from None


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise ApiError(422, fault, "experiment")
