"""The texts of the console that are translated, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir

from serving.console import formats, view
from serving.console.figures import audience, experiments, overview
from serving.console.page_parts import Sheet
from serving.console.pages import PAGES
from serving.console.responses import NO_SERVICE, NOBODY, OUTDATED, UNPUBLISHED
from serving.console.service_pages import privacy, rule_form, segments
from serving.console.sign_in.roles import ACTIONS

ENDS = ("Other pages", "Left", "Start", "No page view")
FOLDER = Path(formats.__file__).parent
TEMPLATES = "templates/**.j2"
PLACES = {
    "Sheet": {1, 2, 4, "note", "empty"}, "Card": {0, 2, "note"}, "Form": {1, 4, 5, "note"}, "FormField": {1},
    "LatePart": {1}, "ConsolePage": {"notes"}, "card": {0}, "share": {0}, "_choice": {1}, "_form": {1},
}  # fmt: skip
"""Places and names of arguments that are texts, by what is called."""
NAMES = {"note", "empty", "columns", "notes"}
"""Names of variables that hold texts."""


def read_texts() -> set[str]:
    """Return the keys of the catalogues."""
    kinds = [("**.py", "python"), (TEMPLATES, "jinja2")]
    options = {TEMPLATES: {"trim_blocks": "true", "lstrip_blocks": "true"}}
    said = {text for _, _, text, *_ in extract_from_dir(FOLDER, kinds, options, {"say": None, "_": None})}
    parts = {text for file in FOLDER.rglob("*.py") for text in _read_parts(file)}
    named = {
        *(kind.name for kind in PAGES.values()), *overview.HEADINGS.values(), *audience.TITLES.values(),
        *(heading.lower() for heading in overview.HEADINGS.values()), *audience.MEASURES, *experiments.COLUMNS,
        *view.COMPARISONS.values(), *view.PRESETS, *formats.NO_VALUE.values(), *formats.WEEKDAYS,
        *rule_form.EFFECTS.values(), *rule_form.STRENGTHS.values(), *segments.COMPARED.values(), *ACTIONS,
        *UNPUBLISHED, *OUTDATED, *NOBODY, NO_SERVICE, Sheet.__dataclass_fields__["empty"].default,
        *privacy.DONE.values(), *privacy.MAY.values(), *formats.DEVICES, *ENDS,
        *(formats.format_action(action) for action in formats.ACTIONS), "Champion", "Challenger",
        "Canary", "granted", "refused", "not granted",
    }  # fmt: skip
    return {text for text in said | parts | named if any(map(str.isalpha, text))}


def _read_parts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in NAMES:
            yield from (text for text in _read_constants(node.value) if not text.isidentifier() or text.istitle())
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        places = PLACES.get(node.func.id, set())
        arguments = {**dict(enumerate(node.args)), **{word.arg: word.value for word in node.keywords}}
        for place, value in arguments.items():
            if place in places:
                yield from _read_constants(value)


def _read_constants(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _read_constants(node.body)
        yield from _read_constants(node.orelse)
    elif isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            yield from _read_constants(element)
