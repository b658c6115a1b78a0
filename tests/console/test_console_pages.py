"""The console in Chromium over the materialized home: what a person sees, with which tools, and without errors."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ml.bundle import current_version
from ml.console.published import PublishedTables
from ml.console.selection import VisitSelection
from ml.console.visits import collect_totals
from ml.home import Home
from ml.settings import load_settings
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.defs.segmentation import segmentation_settings
from serving.access import Keys
from serving.console.application import console_application
from serving.console.pages import PAGES
from serving.start import ServiceConfig
from tests.chromium import chromium, find_serious_faults, watched_page
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.served import served

PICTURES = os.environ.get("CONSOLE_PICTURES")  # a folder for whoever wants to look at the pages
SIZES = {"light": (1360, 900), "dark": (1360, 900), "phone": (390, 844)}
DRAWN = "[...document.querySelectorAll('[data-chart]')].every((chart) => chart.querySelector('svg path'))"
SECRET = "secret-key-0123456789"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(materialized_home: Home) -> Iterator[str]:
    config = ServiceConfig(materialized_home, load_settings(), bundled=materialized_home.path / "no-bento")
    with served(console_application(config)) as url:
        yield url


@pytest.fixture(scope="module")
def tables(materialized_home: Home) -> PublishedTables:
    version = current_version(materialized_home.published)
    assert version is not None
    return PublishedTables(materialized_home.published / version)


def test_money_is_in_the_currency_of_the_purchases(tables: PublishedTables, materialized_home: Home) -> None:
    assert tables.about["currency"] == "EUR"
    place = HomeResource(path=str(materialized_home.path))
    labels = segmentation_settings(place, WarehouseResource(home=place)).labels
    assert {labels[name].unit for name in ("monetary", "mean_price_viewed")} == {"EUR"}


def picture(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("size", SIZES)
def test_every_page_shows_its_charts_without_an_error_and_is_accessible(
    browser: Any, address: str, size: str
) -> None:
    width, height = SIZES[size]
    options = {
        "viewport": {"width": width, "height": height},
        "color_scheme": "dark" if size == "dark" else "light",
    }
    with watched_page(browser, **options) as (page, requested, errors):
        for name in PAGES:
            page.goto(f"{address}/console/{name}")
            page.wait_for_function(DRAWN)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert find_serious_faults(page) == []
            picture(page, f"{name}-{size}")
        assert errors == []
        assert {url for url in requested if not url.startswith((address, "data:"))} == set()


def test_a_filter_changes_the_figures_and_the_address(browser: Any, address: str, tables: PublishedTables) -> None:
    about = tables.about
    whole = VisitSelection(about["first_date"], about["last_date"])
    mobile = collect_totals(tables, whole.narrow("device", "mobile"))
    with watched_page(browser) as (page, requested, errors):
        page.goto(f"{address}/console/audience?from={whole.first}&to={whole.last}")
        visits = page.locator(".card", has_text="Visits").first.locator(".value")
        assert page.locator("dt", has_text="Visitors").locator("xpath=../dd").first.inner_text() == (
            f"{collect_totals(tables, whole).visitors:,}"
        )
        page.select_option("select[name=device]", "mobile")
        page.wait_for_url("**device=mobile*")
        page.wait_for_function(
            "(visitors) => document.querySelector('.card .value').textContent === visitors",
            arg=f"{mobile.visitors:,}",
        )
        assert visits.inner_text() != ""
        page.wait_for_selector("[data-chart] svg")
        page.keyboard.press("Tab")
        page.go_back()
        page.wait_for_function(
            "(visitors) => document.querySelector('.card .value').textContent !== visitors",
            arg=f"{mobile.visitors:,}",
        )
        assert errors == []
        assert sum(url.endswith(".js") for url in requested) <= 6


def test_every_chart_can_be_saved_as_a_picture(browser: Any, address: str) -> None:
    with watched_page(browser) as (page, requested, errors):
        for name in ("overview", "behaviour", "segments", "audience"):
            page.goto(f"{address}/console/{name}")
            page.wait_for_function(DRAWN)
            buttons = page.locator("[data-picture]")
            assert buttons.count() == page.locator("[data-chart], svg.map").count() > 0
            for button in buttons.all():
                key = button.get_attribute("data-picture")
                section = page.locator(f"section:has([data-picture={key}])")
                drawn = section.locator("[data-chart], svg.map").bounding_box()
                with page.expect_download() as saved:
                    button.click()
                assert saved.value.suggested_filename == f"{key}.png"
                with Image.open(saved.value.path()) as picture:
                    assert picture.width == pytest.approx(2 * drawn["width"], abs=2)
                    assert picture.height == pytest.approx(2 * (drawn["height"] + 40), abs=2)
                    chart = picture.crop((0, 80, *picture.size)).convert("RGB")
                    assert len(chart.getcolors(picture.width * picture.height)) > 10  # no empty sheet of paper
        assert errors == []
        assert {url for url in requested if not url.startswith((address, "data:", "blob:"))} == set()


def test_a_page_is_small_when_it_is_first_loaded(browser: Any, address: str) -> None:
    """The scripts stay in the cache of the browser, under an address that changes with them."""
    with watched_page(browser) as (page, requested, _):
        page.goto(f"{address}/console/overview")
        scripts = [url for url in requested if "/static/" in url]
        page.goto(f"{address}/console/behaviour")
        page.wait_for_selector("[data-chart] svg")
        sizes = page.evaluate(
            "performance.getEntriesByType('resource').map((entry) => [entry.name, entry.transferSize])"
        )
        assert len(scripts) == 4
        assert [name for name, size in sizes if "/static/" in name and size > 0] == []


def test_a_keyboard_reaches_the_content_and_every_control(browser: Any, address: str) -> None:
    with watched_page(browser) as (page, _, errors):
        page.goto(f"{address}/console/behaviour")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == "from"
        summary = page.locator("summary").first
        summary.focus()
        page.keyboard.press("Enter")
        assert page.locator("details[open] table").first.is_visible()
        assert errors == []


def test_a_script_in_a_title_or_segment_stays_text(browser: Any, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    publish_with_console(home, tmp_path / "tables")
    config = ServiceConfig(home, load_settings(), bundled=tmp_path / "no-bento")
    secured = dataclasses.replace(config, keys=Keys(secret=frozenset({SECRET})))
    with served(console_application(secured)) as url, watched_page(browser) as (page, _, errors):
        page.goto(f"{url}/console")
        page.fill("input[name=key]", SECRET)
        picture(page, "sign-in")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/overview")
        for name in PAGES:
            page.goto(f"{url}/console/{name}")
            page.wait_for_timeout(50)
            assert page.title() == f"{PAGES[name].name} · Tessera"
            assert page.evaluate("document.scripts.length") == 3
            for chart in page.locator("[data-chart]").all():
                chart.hover()
        page.click("text=Sign out")
        page.wait_for_url("**/console/sign-in")
        assert errors == []
