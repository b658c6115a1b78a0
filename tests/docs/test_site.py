"""The documentation as a website: it builds without a warning, loads nothing from elsewhere and is complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, TimeoutError
from typer.main import get_command

from ml.events.contract import EVENT_TYPES, FIELD_NAMES
from ml.settings.knobs import all_knobs
from orchestration.cli import app
from orchestration.product_files import DBT_PROJECT_FOLDER
from serving.documentation.openapi import openapi
from tests.docs.examples import CHECKOUT
from tests.docs.reader import browser_page

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
NOT_LOADED = {"canonical", "next", "prev", "alternate"}  # links that a browser follows only when it is told to
FOREIGN = re.compile(r"^(https?:)?//")
FOREIGN_STYLE = re.compile(r"(?:url\(|@import )[\"']?(?:https?:)?//")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    mkdocs = Path(sys.executable).with_name("mkdocs")
    built = subprocess.run(
        [mkdocs, "build", "--strict", "--site-dir", folder], cwd=CHECKOUT, capture_output=True, text=True,
        check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Sources(HTMLParser):
    """What a browser loads for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        address = values.get(LOADED.get(tag, ""))
        if address and values.get("rel") not in NOT_LOADED:
            self.addresses.append(address)


def text_of(site: Path, page: str) -> str:
    return (site / "reference" / page).read_text(encoding="utf-8")


def test_no_page_loads_anything_from_another_site(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        sources = Sources()
        sources.feed(page.read_text(encoding="utf-8"))
        assert sources.addresses
        assert [address for address in sources.addresses if FOREIGN.match(address)] == [], page
    for style in site.rglob("*.css"):
        assert FOREIGN_STYLE.findall(style.read_text(encoding="utf-8")) == [], style


def test_the_parser_sees_what_another_site_would_serve() -> None:
    sources = Sources()
    sources.feed('<link rel="canonical" href="//a.example"><img src="https://b.example/x.png"><a href="//c">')
    assert [address for address in sources.addresses if FOREIGN.match(address)] == ["https://b.example/x.png"]


def search_until_answered(page: Page, text: str, tries: int = 15) -> None:
    """Search as a reader would, again while the index is not read yet; TimeoutError where nothing comes."""
    query, results = page.locator("input.md-search__input"), page.locator(".md-search-result__item")
    for tried in range(1, tries + 1):
        query.fill("")
        query.press_sequentially(text)
        try:
            results.first.wait_for(timeout=4_000)
        except TimeoutError:
            if tried == tries:
                raise
        else:
            return


def test_pages_and_their_search_work_from_the_disk_without_the_network(site: Path) -> None:
    requests: list[str] = []
    with browser_page() as page:
        page.on("request", lambda request: requests.append(request.url))
        for name in ("index.html", "experiments.html", "reference/settings.html"):
            page.goto((site / name).as_uri())
            page.locator("h1").first.wait_for()
        search_until_answered(page, "dead letters")
    assert requests
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_reference_of_the_commands_has_every_command_and_option(site: Path) -> None:
    page = text_of(site, "commands.html")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        for child_name, child in getattr(command, "commands", {"": command}).items():
            assert f">tessera {name} {child_name}".rstrip() in page
            options = [
                option for parameter in child.params for option in parameter.opts if option.startswith("--")
            ]
            assert [option for option in options if f"<code>{option}" not in page] == []


def test_the_reference_of_the_tables_has_every_column_of_every_mart(site: Path) -> None:
    page = text_of(site, "tables.html")
    files = list((DBT_PROJECT_FOLDER / "models" / "marts").rglob("*.yml"))
    assert len(files) > 10
    for file in files:
        for mart in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]:
            assert f'id="{mart["name"]}"' in page
            columns = [column["name"] for column in mart["columns"]]
            assert [column for column in columns if f"<code>{column}</code>" not in page] == []


def test_the_reference_of_the_api_has_every_call(site: Path) -> None:
    page = text_of(site, "api.html")
    calls = [f"{method.upper()} {path}" for path, methods in openapi()["paths"].items() for method in methods]
    assert [call for call in calls if f">{call}<" not in page] == []


def test_the_reference_of_the_settings_has_every_knob(site: Path) -> None:
    page = text_of(site, "settings.html")
    knobs = [knob.name.partition(".")[2] for knob in all_knobs()]
    assert [knob for knob in knobs if f"<code>{knob}</code>" not in page] == []


def test_the_reference_of_events_has_every_field_and_type(site: Path) -> None:
    page = text_of(site, "events.html")
    assert [name for name in (*FIELD_NAMES, *EVENT_TYPES) if f"<code>{name}</code>" not in page] == []
