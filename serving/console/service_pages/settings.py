"""The page Settings: every knob with its value, reason and origin, and changes that are seen before they count."""

from __future__ import annotations

import yaml
from pydantic import TypeAdapter
from starlette.responses import RedirectResponse, Response

from ml.errors import TesseraError
from ml.home import Home
from ml.settings import Settings, load_site_settings
from ml.settings.changes import draft_knobs, to_flow_yaml
from ml.settings.knobs import Knob, all_knobs, find_knob, knob_value
from ml.settings.settings_files import LoadedSettings, SettingsError
from ml.site.file_drafts import FileDraft
from serving.console.confirmation import describe_place, history_sheet, show_change, write_confirmed
from serving.console.localized_texts import say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Cell, ConsolePage, Form, FormField, Sheet
from serving.errors import ApiError

DEFAULT = "default"
_PLAIN: TypeAdapter[object] = TypeAdapter(object)


def build_settings(request: PageRequest) -> ConsolePage:
    """Build the page: the knobs of a section or with a word, what was changed, and the form of an owner."""
    home, running = request.config.home, request.config.settings
    section, word = request.view.extra.get("section", ""), request.view.extra.get("word", "")
    every = list(all_knobs())
    sections = sorted({knob.name.partition(".")[0] for knob in every})
    choice = Form(
        "find",
        "Find a setting",
        "/console/settings",
        [
            FormField("section", "Section", section, [("", say("All")), *((name, name) for name in sections)]),
            FormField("word", "Word", word, hint=say("interval, kafka, retention …")),
        ],
        "Find",
    )
    change = Form(
        "change",
        "Change a setting",
        "/console/settings/propose",
        [
            FormField("name", "Setting", word if word in [knob.name for knob in every] else "", is_required=True),
            FormField("value", "New value", hint=say("as in YAML: 5, true, [a, b]")),
        ],
        "Show the change",
        "Nothing is written before you have seen what changes in which file.",
        changes=True,
    )
    forms = [choice, change] if request.reader.may("settings") else [choice]
    try:
        loaded = load_site_settings(home)
    except SettingsError as error:
        return ConsolePage(forms=forms, fault=f"The files of settings cannot be read: {error}")
    knobs = [knob for knob in every if _is_meant(knob, section, word)]
    waiting = [knob.name for knob in every if _value(running, knob) != _value(loaded.settings, knob)]
    notes = ["The service takes a change when it starts again; the pipeline takes it with its next run."]
    if waiting:
        notes.append(
            say("These wait for the next start of the service: {settings}.", settings=", ".join(waiting[:20]))
        )
    return ConsolePage(
        sheets=[_knobs_sheet(home, loaded, knobs), history_sheet(home, request.bundle, ".yaml")],
        notes=notes,
        forms=forms,
    )


async def propose(question: ServiceQuestion) -> ConsolePage:
    """Check a new value, and show what it changes in which file.

    Raises:
        ApiError: 422, there is no such setting, the value is not legal, or it changes nothing.
    """
    fields, home = question.read("name", "value"), question.tessera.config.home
    return show_change(home, _draft(home, **fields), "/console/settings/apply", fields)


async def apply_change(question: ServiceQuestion) -> Response:
    """Write a change that was shown, and its line of the history.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    home = question.tessera.config.home
    name, value = question.read("name", "value").values()
    draft = _draft(home, name, value)
    knob = find_knob(name)
    before = _value(load_site_settings(home).settings, knob)
    after = value if knob.annotation is str else to_flow_yaml(yaml.safe_load(value))
    write_confirmed(question, draft, {"name": name, "before": before, "after": after})
    return RedirectResponse(f"/console/settings?word={name}", 303)


def _draft(home: Home, name: str, value: str) -> FileDraft:
    try:
        return draft_knobs(home, {name: value})[name]
    except TesseraError as error:
        raise ApiError(422, str(error), "value" if isinstance(error, SettingsError) else "name") from None


def _is_meant(knob: Knob, section: str, word: str) -> bool:
    text = f"{knob.name} {knob.reason}".casefold()
    return knob.name.startswith(f"{section}." if section else "") and word.casefold() in text


def _value(settings: Settings, knob: Knob) -> str:
    return to_flow_yaml(_PLAIN.dump_python(knob_value(settings, knob.name), mode="json"))


def _knobs_sheet(home: Home, loaded: LoadedSettings, knobs: list[Knob]) -> Sheet:
    rows: list[list[Cell]] = [
        [
            knob.name,
            _value(loaded.settings, knob),
            knob.unit,
            to_flow_yaml(_PLAIN.dump_python(knob.default, mode="json")),
            describe_place(home, loaded.origins.get(knob.name, DEFAULT)),
            f"{knob.reason}{f' Legal: {knob.legal}.' if knob.legal else ''}",
        ]
        for knob in knobs
    ]
    return Sheet(
        "settings",
        "Settings",
        ["Setting", "Value", "Unit", "Default", "From", "What it does, and why"],
        rows,
        say(
            "{settings} settings; those whose From is a file are set there, to another value or to the default.",
            settings=len(rows),
        ),
        empty="No setting has this word in its name or description.",
    )
