"""Pages of another origin in Chromium call what their browser key allows, and read why a call is refused."""

import dataclasses

import pytest
from bundles import publish
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ml.home import Home
from ml.keys.key_file import KeyFile
from ml.settings import load_settings
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.chromium import chromium, watched_page
from tests.serving.served import served
from tests.serving.test_browser_pages import CALLS, EXPERIMENTS

CALL = """async ([url, method, body, key]) => {
    const headers = {Authorization: `Bearer ${key}`};
    if (body !== null) headers["Content-Type"] = "application/json";
    try {
        const answer = await fetch(url, {method, headers, body: body === null ? undefined : JSON.stringify(body)});
        return [answer.status, await answer.json()];
    } catch (error) {
        return [0, String(error)];
    }
}"""
BURST = 30


async def empty(_):
    return HTMLResponse("<!doctype html><title>shop</title>")


@pytest.fixture(scope="module")
def pages():
    """The addresses of two sites, and a page of the first and of the second."""
    site = Starlette(routes=[Route("/", empty)])
    with (
        served(site) as shop,
        served(site) as other,
        chromium() as browser,
        watched_page(browser) as (of_shop, _, _),
        watched_page(browser) as (of_other, _, _),
    ):
        of_shop.goto(shop)
        of_other.goto(other)
        yield shop, of_shop, of_other


@pytest.fixture(scope="module")
def api(tmp_path_factory, pages):
    folder = tmp_path_factory.mktemp("api")
    home = Home(folder / "home")
    publish(home.published)
    (home.path / "experiments.yaml").write_text(EXPERIMENTS.format(unit="anonymous"))
    _, key = KeyFile(home).create("browser", origins=(pages[0],))
    settings = load_settings()
    limits = settings.serving.limits.model_copy(update={"requests_per_second": 0.01, "burst_requests": BURST})
    serving = settings.serving.model_copy(update={"limits": limits})
    config = ServiceConfig(
        home=home, settings=settings.model_copy(update={"serving": serving}), bundled=folder / "no-bento"
    )
    with served(application(Tessera(dataclasses.replace(config), seed=1))) as address:
        yield address, key


def test_a_page_calls_what_its_key_allows_until_it_calls_too_often(pages, api):
    _, of_shop, of_other = pages
    address, key = api
    statuses = {}
    for name, (method, path, body) in CALLS.items():
        statuses[name], answer = of_shop.evaluate(CALL, [address + path, method, body, key])
        assert answer
    assert statuses == dict.fromkeys(CALLS, 200) | {"events": 202, "a failure": 422}
    assert of_other.evaluate(CALL, [address + "/v1/recommendations", "POST", {}, key])[0] == 0
    for _ in range(BURST):
        status, answer = of_shop.evaluate(CALL, [address + "/v1/onboarding", "GET", None, key])
        if status != 200:
            break
    assert status == 429
    assert "sends more requests" in answer["error"]["message"]
