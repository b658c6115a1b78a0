"""The form of the page Behaviour that tries a funnel as it is written, and puts it into `settings.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from ml.console.published import PublishedTables
from ml.console.visit_steps import VisitSteps
from ml.errors import InvalidInputError
from ml.home import Home
from ml.settings import load_site_settings
from ml.settings.changes import change_text, to_flow_yaml
from ml.settings.settings_files import SettingsError, combine_settings, site_settings_files
from ml.site.definition_files import SETTINGS, editable_path, text_in_force
from ml.site.file_drafts import FileDraft
from ml.usage.ratios import share_of_people
from ml.usage.step_names import StepName, parse_step
from serving.console.confirmation import show_change, write_confirmed
from serving.console.current_bundle import BundleReader
from serving.console.figures.behaviour import build_behaviour
from serving.console.formats import format_step, percent_number
from serving.console.localized_texts import Sentences, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Cell, ConsolePage, Form, FormField, Sheet, chart_bars
from serving.errors import ApiError

KNOB = "warehouse.funnels"
PER = [("session", say("Visits")), ("user", say("People"))]
MOST_STEPS, FEWEST_STEPS, USUAL_HOURS = 6, 2, 24
STEP_FIELDS = tuple(f"step{number}" for number in range(1, MOST_STEPS + 1))
FIELDS = ("name", *STEP_FIELDS, "per", "hours")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


async def ask_nothing(question: ServiceQuestion) -> dict[str, Any]:
    """Say that the service is there, which takes what the form sends."""
    return {}


def build_behaviour_page(request: PageRequest) -> ConsolePage:
    """Build the page with the form, where there is a service that takes it."""
    page = build_behaviour(request.bundle, request.view)
    suggested = request.bundle.suggested_steps
    if request.answer is None:
        return replace(page, notes=["Funnels are made where the service runs: start it by `tessera up`."])
    if not suggested:
        return page
    return replace(page, forms=[_form(suggested, request.reader.may("edit"))], has_forms_last=True)


def _form(suggested: Sequence[str], may_edit: bool) -> Form:
    steps = [
        FormField(
            name,
            say("Step {number}", number=number),
            hint=("page_view", "add_to_cart", "purchase")[number - 1] if number <= 3 else "",
            is_required=number <= FEWEST_STEPS,
            is_suggested=True,
        )
        for number, name in enumerate(STEP_FIELDS, start=1)
    ]
    fields = [
        *steps,
        FormField("per", "Counts", "session", PER),
        FormField("hours", "Within hours", str(USUAL_HOURS), kind="number"),
    ]
    note: str = say(
        "The counts appear as you write. `page_view@` and an address is a view of that page, `click#` and a name a"
        " click on that element, `custom:` and a name an action of the site's own."
    )
    if may_edit:
        fields.append(FormField("name", "Name", hint="newsletter", is_required=True))
    else:
        note = Sentences(note, say("An editor can keep the funnel."))
    return Form(
        "funnel",
        "Make a funnel" if may_edit else "Try a funnel",
        f"/console/behaviour/{'propose' if may_edit else 'try'}",
        fields,
        "Show the change" if may_edit else "Count",
        note,
        changes=True,
        live="/console/behaviour/part/funnel",
        suggestions=suggested,
    )


async def load_counts(question: ServiceQuestion) -> ConsolePage:
    """Return how many visits or people take each step that is chosen so far, or what is wrong with one."""
    try:
        return await run_in_threadpool(_count, question)
    except (InvalidInputError, ApiError) as error:
        return ConsolePage(fault=str(error.message if isinstance(error, ApiError) else error))


async def propose_funnel(question: ServiceQuestion) -> ConsolePage:
    """Check a new funnel, and show its counts and what it changes in the file.

    Raises:
        ApiError: 422, a field is wrong.
    """
    fields = question.read(*FIELDS)
    draft = await run_in_threadpool(_draft, question.tessera.config.home, fields)
    shown = show_change(question.tessera.config.home, draft[0], "/console/behaviour/apply", fields)
    counted = await load_counts(question)
    return replace(shown, sheets=[*counted.sheets, *shown.sheets], notes=[counted.fault] if counted.fault else [])


async def apply_funnel(question: ServiceQuestion) -> Response:
    """Write a funnel that was shown, and its line of the history; the next run of the pipeline counts it.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    home, fields = question.tessera.config.home, question.read(*FIELDS)
    draft, before, after = await run_in_threadpool(_draft, home, fields)
    write_confirmed(question, draft, {"name": f"{KNOB}.{fields['name']}", "before": before, "after": after})
    return RedirectResponse(f"/console/settings?word={KNOB}", 303)


def _count(question: ServiceQuestion) -> ConsolePage:
    fields = question.read(*FIELDS)
    steps = _read_steps(fields)
    if not steps:
        return ConsolePage()
    per, hours = _read_window(fields)
    tried = VisitSteps.of_tables(_tables(question))
    if not tried.rows.num_rows:
        raise ApiError(404, "no visit is published action by action: `tessera materialize` publishes them")
    counts = tried.count(steps, per, hours)
    first, last = tried.dates
    rows: list[list[Cell]] = [
        [
            format_step(str(step)),
            count,
            percent_number(share_of_people(count, counts[0])),
            before - count if place else None,
            percent_number(share_of_people(before - count, before)) if place else None,
        ]
        for place, (step, before, count) in enumerate(zip(steps, [0, *counts], counts, strict=False))
    ]
    whose = "Visits" if per == "session" else "People"
    return ConsolePage(
        sheets=[
            Sheet(
                "tried",
                "The funnel so far",
                ["Step", "Entered", "% of the first step", "Lost", "Lost %"],
                rows,
                say(
                    "{whose} among the {visits} visits from {first} to {last}, the newest that are published"
                    " action by action. Dates and filters above do not change them.",
                    whose=say(whose),
                    visits=tried.visits,
                    first=first,
                    last=last,
                ),
                chart_bars(rows, {whose: 1}),
                is_open=True,
            )
        ]
    )


def _tables(question: ServiceQuestion) -> PublishedTables:
    bundle = BundleReader(question.tessera.config).current()
    if bundle is None or not bundle.tables.is_complete:
        raise ApiError(404, "nothing is published yet: `tessera materialize` publishes the visits")
    return bundle.tables


def _read_steps(fields: Mapping[str, str]) -> list[StepName]:
    """Read the steps that are written, in their order.

    Raises:
        ApiError: 422, one is none, or stands there twice.
    """
    steps: list[StepName] = []
    for number, name in enumerate(STEP_FIELDS, start=1):
        if not fields[name]:
            continue
        try:
            step = parse_step(fields[name])
        except InvalidInputError as error:
            raise ApiError(422, f"step {number}: {error}", name) from None
        if step in steps:
            raise ApiError(422, f"step {number}: {step} stands there already", name)
        steps.append(step)
    return steps


def _read_window(fields: Mapping[str, str]) -> tuple[Literal["session", "user"], int]:
    if fields["per"] not in dict(PER):
        raise ApiError(422, f"per is {fields['per'][:40]!r}; it may be {', '.join(dict(PER))}", "per")
    hours = fields["hours"] or str(USUAL_HOURS)
    if not (hours.isdecimal() and hours.isascii() and 1 <= int(hours[:9]) <= 8_760):
        raise ApiError(422, f"hours are {hours[:40]!r}; write a whole number from 1 to 8760", "hours")
    return ("session" if fields["per"] == "session" else "user"), int(hours)


def _draft(home: Home, fields: Mapping[str, str]) -> tuple[FileDraft, str, str]:
    """Return the settings with a funnel added or changed, and the funnel before and after.

    Raises:
        ApiError: 422, a field is wrong.
    """
    name, steps = fields["name"], _read_steps(fields)
    per, hours = _read_window(fields)
    if not NAME.fullmatch(name):
        raise ApiError(
            422, f"{name[:40]!r}: a name has small letters, digits and _, and starts with a letter", "name"
        )
    if len(steps) < FEWEST_STEPS:
        raise ApiError(422, f"a funnel needs {FEWEST_STEPS} steps", "step2")
    entry = {"per": per, "window_hours": hours, "steps": [str(step) for step in steps]}
    try:
        in_force = load_site_settings(home).settings.warehouse.funnels
        text = text_in_force(home, SETTINGS)
        # The setting is taken whole: with one funnel in the file, those of the defaults would not count any more.
        entries = {} if _has_funnels(text) else {key: each.model_dump() for key, each in in_force.items()}
        after = text
        for key, value in reversed({**entries, name: entry}.items()):
            after = change_text(after, f"{KNOB}.{key}", value)
        combine_settings(site_settings_files(home, {SETTINGS: after}))
    except SettingsError as error:
        raise ApiError(422, str(error), "name") from None
    before = to_flow_yaml(in_force[name].model_dump()) if name in in_force else ""
    return FileDraft(editable_path(home, SETTINGS), text, after), before, to_flow_yaml(entry)


def _has_funnels(text: str) -> bool:
    content = yaml.safe_load(text)
    section = content.get("warehouse") if isinstance(content, dict) else None
    return isinstance(section, dict) and bool(section.get("funnels"))
