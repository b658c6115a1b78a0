"""Turns the content of a page into HTML; every value is escaped."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from ml.console.tables import DIMENSIONS
from ml.pages.templates import page_templates
from serving.console.current_bundle import CurrentBundle
from serving.console.figures.overview import HEADINGS
from serving.console.formats import name_value
from serving.console.languages import Language, list_languages
from serving.console.localized_texts import say
from serving.console.page_parts import Cell, ConsolePage
from serving.console.pages import PAGES
from serving.console.sign_in.roles import Reader
from serving.console.sign_in.session import HOURS
from serving.console.static_files import FOLDER, version_of_files
from serving.console.view import COMPARISONS, NONE, PRESETS, View

ROWS_SHOWN = 50  # below a chart; the CSV file has all
OPTIONS_SHOWN = 100


class ConsoleTemplates:
    """The templates, and the version of the files that pages load, so that browsers may keep them."""

    def __init__(self) -> None:
        self._environment: Environment = page_templates(FOLDER / "templates", translates=True)
        self._environment.filters |= {
            "t": _write, "cell": _write_cell, "chart": _write_chart, "fill": _fill, "words": write_words,
        }  # fmt: skip
        self.version = version_of_files()
        # Stand for the token and the name of a reader in HTML that is kept; nobody can write them into an event.
        self._token, self._name = secrets.token_urlsafe(18), secrets.token_urlsafe(18)

    def page(
        self, key: str, page: ConsolePage, bundle: CurrentBundle, view: View, reader: Reader, language: Language
    ) -> str:
        """Render a page."""
        kind = PAGES[key]
        query = view.query() if kind.has_dates else urlencode(view.extra)
        about = bundle.tables.about
        every = {"from": str(about["first_date"]), "to": str(about["last_date"])}
        shared = replace(view, extra={})
        return self._render(
            "page.html.j2",
            reader,
            language,
            page_key=key,
            page_name=kind.name,
            shared_query=shared.query() if kind.has_dates else "",
            page=page,
            view=view,
            query=query,
            languages=list_languages(dict(parse_qsl(query)), f"/console/{key}", language.code),
            has_dates=kind.has_dates,
            comparisons=COMPARISONS,
            filters=[_filter(bundle, view, name) for name in DIMENSIONS],
            choices=_choices(bundle, view) if key == "behaviour" else [],
            presets={
                **{name: view.recent(days, about["last_date"]) for name, days in PRESETS.items()},
                "All": view.query(**every),
            },
            rows_shown=ROWS_SHOWN,
        )

    def fill_in(self, text: str, reader: Reader, token_of: Callable[[Reader], str]) -> str:
        """Put the name and the token of a reader into a page that was made for any reader of the same likeness."""
        text = text.replace(self._name, str(escape(reader.name)))
        return text.replace(self._token, token_of(reader)) if self._token in text else text

    def part(self, key: str, page: ConsolePage, reader: Reader, language: Language) -> str:
        """Render a part of a page that is loaded after it."""
        values = {"page_key": key, "page": page, "query": "", "rows_shown": ROWS_SHOWN}
        return self._render("part.html.j2", reader, language, **values)

    def outcome(
        self, key: str, page: ConsolePage, reader: Reader, token_of: Callable[[Reader], str], language: Language
    ) -> str:
        """Render what came of a form."""
        values = {
            "page_key": key,
            "page_name": PAGES[key].name,
            "page": page,
            "query": "",
            "rows_shown": ROWS_SHOWN,
        }
        return self.fill_in(self._render("outcome.html.j2", reader, language, **values), reader, token_of)

    def message(
        self, title: str, lines: Sequence[str], links: dict[str, str], reader: Reader | None, language: Language
    ) -> str:
        """Render a page that says something and shows no figures."""
        text = self._render("message.html.j2", reader, language, title=title, lines=lines, links=links)
        return text if reader is None else self.fill_in(text, reader, lambda each: each.csrf_token)

    def sign_in(self, csrf_token: str, language: Language, fault: str = "") -> str:
        """Render the page of the sign-in."""
        languages = list_languages({}, "/console/sign-in", language.code)
        values = {"csrf_token": csrf_token, "fault": fault, "hours": HOURS, "languages": languages}
        return self._render("sign_in.html.j2", None, language, **values)

    def _render(self, template: str, reader: Reader | None, language: Language, **values: Any) -> str:
        names = {key: kind.name for key, kind in PAGES.items() if reader is not None and reader.may(kind.needs)}
        defaults = {
            "page_key": "",
            "language": language,
            "languages": [],
            "gettext": language.translate,
            "shared_query": "",
            "names": names,
            "version": self.version,
            "reader": reader,
            "token": self._token,
            "reader_name": self._name if reader is not None and reader.name else "",
        }
        return self._environment.get_template(template).render(defaults | values)


@pass_context
def _write(context: Context, text: str) -> str:
    """Write a text of the console in the language of the page."""
    return str(context["language"].write(text))


@pass_context
def _write_cell(context: Context, cell: Cell) -> str:
    """Write a cell: a dash for none, numbers with separators, and of texts only those of the console anew."""
    return str(context["language"].write_cell(cell))


@pass_context
def _write_chart(context: Context, chart: Mapping[str, Any]) -> Any:
    """Write the description of a chart in the language of the page."""
    return context["language"].write_chart(chart)


def _fill(text: str, **values: str) -> str:
    """Put values into a translated text, in the place of the names in braces."""
    return text.format(**values)


def write_words(text: str) -> Markup:
    """Escape a sentence, and mark what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _filter(bundle: CurrentBundle, view: View, name: str) -> dict[str, Any]:
    """The select field of a dimension, with its most frequent values and the one that the address names.

    Browsers can make up as many sources as they like.
    """
    chosen = view.selection.filters.get(name)
    values = bundle.tables.values[name][:OPTIONS_SHOWN]
    if chosen is not None and chosen not in values:
        values = [*values, chosen]
    options = [
        {"value": value or NONE, "name": name_value(name, value), "is_chosen": value == chosen} for value in values
    ]
    return {"name": name, "label": HEADINGS[name], "options": options}


def _choices(bundle: CurrentBundle, view: View) -> list[dict[str, Any]]:
    """The select fields of the page Behaviour."""
    page = view.extra.get("page", "")
    pages = [
        ("", say("All visits")),
        *((str(number), row["title"] or row["page_key"]) for number, row in bundle.tables.pages.items()),
    ]
    by = view.extra.get("by", "device")
    return [
        _choice("page", "Paths around", pages, page),
        _choice("by", "Funnels by", [(name, say(HEADINGS[name])) for name in DIMENSIONS], by),
    ]


def _choice(name: str, label: str, options: list[tuple[str, str]], chosen: str) -> dict[str, Any]:
    rows = [{"value": value, "name": text, "is_chosen": value == chosen} for value, text in options]
    return {"name": name, "label": label, "options": rows}
