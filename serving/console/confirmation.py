"""Changes of definition files on pages: shown as a difference, confirmed, written, and kept in a history."""

from __future__ import annotations

from collections.abc import Mapping

from ml.home import Home
from ml.site.file_drafts import FileDraft
from serving.console.current_bundle import CurrentBundle
from serving.console.line_log import LineLog
from serving.console.localized_texts import say
from serving.console.page_kinds import ServiceQuestion
from serving.console.page_parts import Cell, ConsolePage, Form, FormField, Sheet
from serving.errors import ApiError

CHANGES_SHOWN = 100


def show_change(home: Home, draft: FileDraft, address: str, fields: Mapping[str, str]) -> ConsolePage:
    """Return what a draft changes in its file, with a form that confirms it.

    Args:
        home: The home.
        draft: The draft.
        address: Where the confirmation is sent.
        fields: What the draft was made from, which the confirmation repeats.

    Raises:
        ApiError: 422, it changes nothing.
    """
    rows: list[list[Cell]] = [[line] for line in draft.list_changes()]
    if not rows:
        raise ApiError(422, "this changes nothing: the file already says so", "value")
    hidden = [FormField(name, value=value, kind="hidden") for name, value in fields.items()]
    confirm = Form(
        "apply",
        "Write the change",
        address,
        [*hidden, FormField("seen", value=draft.digest, kind="hidden")],
        "Write",
        say(
            "It goes into {place}, and the history records your name.", place=describe_place(home, str(draft.path))
        ),
        changes=True,
    )
    sheet = Sheet("diff", say("What changes in {file}", file=draft.path.name), ["Line"], rows)
    return ConsolePage(sheets=[sheet], forms=[confirm], has_forms_last=True)


def write_confirmed(question: ServiceQuestion, draft: FileDraft, line: Mapping[str, str]) -> None:
    """Write a draft that was shown, and its line of the history.

    Args:
        question: Who confirms which draft.
        draft: The draft, made anew.
        line: What the history says of it: `name`, `before` and `after`.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    if question.query.get("seen") != draft.digest:
        raise ApiError(409, "the file has changed since you saw the change; nothing was written", "seen")
    home = question.tessera.config.home
    place = describe_place(home, str(draft.path))
    try:
        draft.write()
    except OSError as error:
        raise ApiError(409, f"{place} cannot be written: {error.strerror}") from None
    reader = question.reader.name or question.reader.key_id
    at = question.tessera.clock().isoformat()
    _change_log(home).append({"at": at, "reader": reader, **line, "file": place})


def history_sheet(home: Home, bundle: CurrentBundle, file: str) -> Sheet:
    """Return what was changed on pages in files of a name, such as `settings.yaml`, the newest first."""
    lines = [line for line in _change_log(home).newest(CHANGES_SHOWN) if line["file"].endswith(file)]
    rows: list[list[Cell]] = [
        [
            bundle.format_moment(line["at"]),
            line["reader"],
            line["name"],
            line["before"],
            line["after"],
            line["file"],
        ]
        for line in lines
    ]
    return Sheet(
        "changes",
        "What was changed here",
        ["When", "By", "What", "Before", "After", "File"],
        rows,
        empty="Nothing has been changed on this page yet. Changes made to the files by hand are not listed.",
    )


def describe_place(home: Home, place: str) -> str:
    """Return a place in a file without the folders of this machine."""
    for folder, name in ((home.site, "site"), (home.path, "home")):
        if folder is not None and place.startswith(f"{folder}/"):
            return f"{name}/{place.removeprefix(f'{folder}/')}"
    return place.rpartition("/")[2]


def _change_log(home: Home) -> LineLog:
    return LineLog(home.path / "console" / "changes.jsonl")
