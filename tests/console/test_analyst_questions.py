"""Questions of analysts are answered in at most three clicks from the overview, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import TimeoutError

from ml.home import Home
from ml.settings import load_settings
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.chromium import chromium, watched_page
from tests.console.analyst_questions import QUESTIONS, AnalystQuestion
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.served import served

MOST_CLICKS = 3
PATIENCE = 20_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("questions")
    home = Home(folder / "home")
    publish_with_console(home, folder / "tables")
    config = ServiceConfig(home, load_settings(), bundled=folder / "no-bento")
    with served(application(Tessera(config, seed=1))) as url:
        yield url


def click(page: Any, step: str, question: AnalystQuestion) -> None:
    kind, _, name = step.partition(":")
    if kind == "menu":
        page.click(f"nav[aria-label=Pages] a:has-text('{name}')")
    elif kind == "select":
        field, _, value = name.partition("=")
        option = page.locator(f"select[name={field}] option").nth(1).get_attribute("value")
        page.select_option(f"select[name={field}]", value or option)
    elif kind == "open":
        page.click(f"summary:has-text('{name}')")
    else:
        form = page.locator(f"form[aria-labelledby=title-{name}]")
        for field, value in question.typed:
            form.locator(f"input[name={field}]").fill(value)
        form.locator("button").click()


def is_answered(page: Any, answer: str) -> bool:
    """Whether the answer is shown, or is within the time that a slow machine takes."""
    selector = ", ".join(f"#title-{key}" for key in answer.split("|"))
    if answer.startswith("card:"):
        selector = f"dt:has-text('{answer.removeprefix('card:')}')"
    try:
        page.wait_for_selector(selector, state="visible", timeout=PATIENCE)
    except TimeoutError:
        return False
    return True


def test_there_are_thirty_and_each_takes_at_most_three_clicks() -> None:
    assert len({question.text for question in QUESTIONS}) == 30
    assert all(len(question.clicks) <= MOST_CLICKS for question in QUESTIONS)
    assert all(question.answer for question in QUESTIONS)


def test_the_clicks_of_a_question_lead_to_its_answer(address: str) -> None:
    with chromium() as browser, watched_page(browser) as (page, _, errors):
        unanswered = []
        for question in QUESTIONS:
            page.goto(f"{address}/console/overview")
            for step in question.clicks:
                click(page, step, question)
            if not is_answered(page, question.answer):
                unanswered.append((question.text, page.url))
        assert unanswered == []
        assert errors == []
