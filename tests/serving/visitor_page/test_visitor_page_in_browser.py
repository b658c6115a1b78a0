"""A visitor with Chromium, on a phone in the dark and at a desk: reads, changes, downloads, and is forgotten."""

import dataclasses
import json

import pytest
from bundles import publish

from ml.keys.key_file import KeyFile
from serving.application import application
from serving.tessera import Tessera
from tests.chromium import chromium, find_serious_faults, watched_page
from tests.serving.identities import SECRET, sign
from tests.serving.served import served

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "de-DE"}
DESK = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(config, home):
    publish(home.published)
    KeyFile(home).create("secret")
    with served(application(Tessera(dataclasses.replace(config, identity_secrets=(SECRET,)), seed=1))) as address:
        yield address


@pytest.mark.parametrize(("options", "save"), [(DESK, "Save"), (PHONE, "Speichern")])
def test_a_visitor_reads_changes_and_is_forgotten(browser, address, options, save):
    with watched_page(browser, **options) as (page, requested, errors):
        page.goto(f"{address}/me?token={sign('ann', aud='tessera:me')}")
        assert page.url == f"{address}/me"
        assert find_serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("input[name=muted][value=sport]").check()
        page.get_by_role("button", name=save).click()
        assert page.get_by_role("status").is_visible()
        assert page.locator("input[name=muted][value=sport]").is_checked()
        with page.expect_download() as download:
            page.locator("form[action='/me/export'] button").click()
        exported = json.loads(download.value.path().read_text())
        assert exported["known"]["preferences"]["muted"] == ["sport"]
        page.locator("a[href='/me/history']").click()
        assert find_serious_faults(page) == []
        page.locator("a[href='/me']").click()
        page.locator("form[action='/me/erase'] button").click()  # without the tick, the browser stops it
        assert page.url.startswith(f"{address}/me")
        page.locator("input[name=sure]").check()
        page.locator("form[action='/me/erase'] button").click()
        page.wait_for_url(f"{address}/me/erased")
        assert page.locator("th[scope=row]").count() == 10
        assert find_serious_faults(page) == []
        assert errors == []
        assert {url for url in requested if not url.startswith((address, "data:"))} == set()
