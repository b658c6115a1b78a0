"""The page Settings: every knob with its value, reason and origin, and changes that are seen before they count."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping

from pydantic import TypeAdapter
from starlette.responses import RedirectResponse, Response

from ml.errors import TesseraError
from ml.home import Home
from ml.settings import Settings, load_site_settings
from ml.settings.changes import SettingsDraft, draft_knobs, to_flow_yaml
from ml.settings.knobs import Knob, all_knobs, knob_value
from ml.settings.settings_files import LoadedSettings, SettingsError
from serving.console.line_log import LineLog
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Cell, ConsolePage, Form, FormField, Sheet
from serving.errors import ApiError

DEFAULT = "default"
CHANGES_SHOWN = 100
_PLAIN: TypeAdapter[object] = TypeAdapter(object)


def build_settings(request: PageRequest) -> ConsolePage:
    """Build the page: the knobs of a section or with a word, what was changed, and the form of an owner."""
    home, running = request.config.home, request.config.settings
    section, word = request.view.extra.get("section", ""), request.view.extra.get("word", "")
    names = {knob.name for knob in all_knobs()}
    sections = sorted({name.partition(".")[0] for name in names})
    choice = Form(
        "find",
        "Find a setting",
        "/console/settings",
        [
            FormField("section", "Section", section, [("", "All"), *((name, name) for name in sections)]),
            FormField("word", "Word", word, hint="interval, kafka, retention …"),
        ],
        "Find",
    )
    change = Form(
        "change",
        "Change a setting",
        "/console/settings/propose",
        [
            FormField(
                "name", "Setting", word if word in {knob.name for knob in all_knobs()} else "", is_required=True
            ),
            FormField("value", "New value", hint="as in YAML: 5, true, [a, b]"),
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
    knobs = [knob for knob in all_knobs() if _is_meant(knob, section, word)]
    waiting = [knob.name for knob in all_knobs() if _value(running, knob) != _value(loaded.settings, knob)]
    notes = ["The service takes a change when it starts again; the pipeline takes it with its next run."]
    if waiting:
        notes.append(f"These wait for the next start of the service: {', '.join(waiting[:20])}.")
    return ConsolePage(
        sheets=[_knobs_sheet(home, loaded, knobs), _history_sheet(request, change_log(home))],
        notes=notes,
        forms=forms,
    )


async def propose(question: ServiceQuestion) -> ConsolePage:
    """Check a new value, and show what it changes in which file.

    Raises:
        ApiError: 422, there is no such setting, the value is not legal, or it changes nothing.
    """
    name, value = _read(question.query)
    draft = _draft(question.tessera.config.home, name, value)
    file = draft.files[name]
    rows: list[list[Cell]] = [[line] for line in _diff(draft)]
    if not rows:
        raise ApiError(422, f"{name} has this value already", "value")
    fields = [
        FormField("name", value=name, kind="hidden"),
        FormField("value", value=value, kind="hidden"),
        FormField("seen", value=_digest(draft), kind="hidden"),
    ]
    confirm = Form(
        "apply",
        "Write the change",
        "/console/settings/apply",
        fields,
        "Write it",
        f"It goes into {_place(question.tessera.config.home, str(file))}, with your name into the history.",
        changes=True,
    )
    title = f"What changes in {file.name}"
    return ConsolePage(sheets=[Sheet("diff", title, ["Line"], rows)], forms=[confirm], has_forms_last=True)


async def apply_change(question: ServiceQuestion) -> Response:
    """Write a change that was shown, and its line of the history.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    home = question.tessera.config.home
    name, value = _read(question.query)
    draft = _draft(home, name, value)
    if question.query.get("seen") != _digest(draft):
        raise ApiError(409, "the file has changed since you saw the change; nothing was written", "seen")
    before = load_site_settings(home).settings
    try:
        draft.write()
    except OSError as error:
        raise ApiError(409, f"{draft.files[name]} cannot be written: {error.strerror}") from None
    after = load_site_settings(home).settings
    knob = next(knob for knob in all_knobs() if knob.name == name)
    change_log(home).append(
        {
            "at": question.tessera.clock().isoformat(),
            "reader": question.reader.name or question.reader.key_id,
            "name": name,
            "before": _value(before, knob),
            "after": _value(after, knob),
            "file": _place(home, str(draft.files[name])),
        }
    )
    return RedirectResponse(f"/console/settings?word={name}", 303)


def change_log(home: Home) -> LineLog:
    """Return the log of changes, `console/settings.jsonl` in the home."""
    return LineLog(home.path / "console" / "settings.jsonl")


def _read(query: Mapping[str, str]) -> tuple[str, str]:
    return query.get("name", "").strip(), query.get("value", "").strip()


def _draft(home: Home, name: str, value: str) -> SettingsDraft:
    try:
        return draft_knobs(home, {name: value})
    except TesseraError as error:
        raise ApiError(422, str(error), "value" if isinstance(error, SettingsError) else "name") from None


def _diff(draft: SettingsDraft) -> list[str]:
    lines: list[str] = []
    for file, after in draft.after.items():
        before = draft.before[file].splitlines()
        shown = difflib.unified_diff(before, after.splitlines(), n=2, lineterm="")
        lines += [line for line in shown if not line.startswith(("---", "+++"))]
    return lines


def _digest(draft: SettingsDraft) -> str:
    texts = [*draft.before.values(), *draft.after.values()]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


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
            _place(home, loaded.origins.get(knob.name, DEFAULT)),
            f"{knob.reason}{f' Legal: {knob.legal}.' if knob.legal else ''}",
        ]
        for knob in knobs
    ]
    return Sheet(
        "settings",
        "Settings",
        ["Setting", "Value", "Unit", "Default", "From", "What it does, and why"],
        rows,
        f"{len(rows)} settings; those whose From is a file differ from the defaults, or are said again there.",
        empty="No setting has this word in its name or reason.",
    )


def _history_sheet(request: PageRequest, log: LineLog) -> Sheet:
    rows: list[list[Cell]] = [
        [
            request.bundle.format_moment(line["at"]),
            line["reader"],
            line["name"],
            line["before"],
            line["after"],
            line["file"],
        ]
        for line in log.newest(CHANGES_SHOWN)
    ]
    return Sheet(
        "changes",
        "What was changed here",
        ["When", "By", "Setting", "Before", "After", "File"],
        rows,
        empty="Nothing was changed on this page yet; what is changed in the files by hand does not stand here.",
    )


def _place(home: Home, place: str) -> str:
    """Return a place in a file without the folders of this machine."""
    for folder, name in ((home.site, "site"), (home.path, "home")):
        if folder is not None and place.startswith(f"{folder}/"):
            return f"{name}/{place.removeprefix(f'{folder}/')}"
    return place.rpartition("/")[2]
