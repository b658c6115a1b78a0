"""Forms of the console in Chromium: what an editor tries, sees before it is written, and confirms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.experiments.definition.definitions_file import load_experiments
from ml.home import Home
from ml.settings import load_settings, load_site_settings
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.chromium import chromium, find_serious_faults, watched_page
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.served import served

NOW = dt.datetime(2026, 6, 10, 12, 30, tzinfo=dt.UTC)
EXPERIMENTS = """version: 1
experiments:
  hero:
    hypothesis: A shorter hero brings more clicks.
    unit: anonymous
    variants: {control: {share: 0.5}, short: {share: 0.5, payload: {content: short}}}
    slots: [hero]
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2026-06-01T00:00:00Z
    ends_at: 2026-07-01T00:00:00Z
"""
RULES = """rules:
  - id: breakfast
    slots: [hero]
    schedule: {hours: "06:00-11:00", weekdays: [monday, friday]}
    then: {content: short}
"""


@pytest.fixture
def site(tmp_path: Path) -> Home:
    folder = tmp_path / "site"
    folder.mkdir()
    files = {"experiments.yaml": EXPERIMENTS, "rules.yaml": RULES, "settings.yaml": "# Ours.\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    home = Home(tmp_path / "home", site=folder)
    publish_with_console(home, tmp_path / "tables")
    return home


@pytest.fixture
def console(site: Home) -> Iterator[str]:
    config = ServiceConfig(site, load_settings(), bundled=site.path / "no-bento")
    with served(application(Tessera(config, clock=lambda: NOW, seed=1))) as url:
        yield f"{url}/console"


def submit(page: Any, key: str) -> None:
    page.locator(f"form[aria-labelledby=title-{key}] button.main").click()


def test_an_editor_makes_a_funnel_stops_an_experiment_and_sees_the_week(console: str, site: Home) -> None:
    with chromium() as browser, watched_page(browser) as (page, _, errors):
        page.goto(f"{console}/behaviour")
        form = page.locator("form[aria-labelledby=title-funnel]")
        form.locator("input[name=step1]").fill("page_view")
        form.locator("input[name=step2]").fill("purchas")
        page.wait_for_selector("text=did you mean purchase?")
        form.locator("input[name=step2]").press_sequentially("e")
        page.wait_for_selector("#title-tried")
        counted = form.locator("section tbody tr").all_inner_texts()
        assert [row.split("\t")[:2] for row in counted] == [["Page view", "3"], ["Purchase", "1"]]
        page.wait_for_selector("#live-funnel [data-chart] svg path", state="attached")
        assert find_serious_faults(page) == []
        form.locator("select[name=per]").select_option("user")
        page.wait_for_selector("#live-funnel td:text-is('66.67')")
        form.locator("input[name=name]").fill("buyers")
        submit(page, "funnel")
        page.wait_for_selector("text=What changes in settings.yaml")
        assert find_serious_faults(page) == []
        submit(page, "apply")
        page.wait_for_url("**/settings?word=warehouse.funnels")
        funnel = load_site_settings(site).settings.warehouse.funnels["buyers"]
        assert (funnel.per, funnel.steps) == ("user", ["page_view", "purchase"])

        page.goto(f"{console}/experiments")
        submit(page, "stop")
        page.wait_for_selector("text=+    ends_at: 2026-06-10T12:30:00Z")
        submit(page, "apply")
        page.wait_for_url("**/experiments")
        assert page.locator("td:text-is('ended')").count() == 1
        assert site.site is not None
        assert load_experiments(site.site / "experiments.yaml").experiments["hero"].ends_at == NOW

        page.goto(f"{console}/decisions?week=2026-06-10")
        page.wait_for_selector("section:has(#title-week) [data-chart] svg path", state="attached")
        page.locator("section:has(#title-week) summary").click()
        days = page.locator("section:has(#title-week) tbody tr").inner_text().split("\t")
        assert days[3:10] == ["06:00–11:00", "", "", "", "06:00–11:00", "", ""]
        assert find_serious_faults(page) == []
        assert errors == []


def test_an_analyst_plans_an_experiment_and_sees_its_power(console: str) -> None:
    with chromium() as browser, watched_page(browser) as (page, _, errors):
        page.goto(f"{console}/experiments")
        form = page.locator("form[aria-labelledby=title-plan]")
        form.locator("select[name=metric]").select_option("clicks_per_user")
        form.locator("input[name=lift]").fill("2,5")
        submit(page, "plan")
        page.wait_for_url("**/experiments?metric=clicks_per_user&lift=2%2C5&**#title-design")
        for key in ("power", "detectable"):
            page.wait_for_selector(f"section:has(#title-{key}) [data-chart] svg path", state="attached")
        with page.expect_download() as picture:
            page.locator("[data-picture=power]").click()
        assert picture.value.suggested_filename == "power.png"
        assert page.locator("section:has(#title-design) tbody tr").count() == 10
        assert form.locator("input[name=lift]").input_value() == "2,5"
        assert find_serious_faults(page) == []
        page.locator("form[aria-labelledby=title-plan] input[name=traffic]").fill("200")
        submit(page, "plan")
        page.wait_for_selector("[role=alert]:has-text('200 is no number from 0.1 to 100.')")
        assert find_serious_faults(page) == []
        assert errors == []
