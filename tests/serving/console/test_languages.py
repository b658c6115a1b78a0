"""The console in another language: every text of it, numbers and dates, and what keeps the choice."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from serving.application import application
from serving.console.languages import FOLDER, add_language, carry_language, read_language
from serving.console.pages import PAGES
from serving.tessera import Tessera
from serving.visitor_page.languages import ENGLISH, NAMES, read_translations
from tests.serving.console.console_bundle import SCRIPT, publish_with_console
from tests.serving.console.console_reader import hidden_fields, send, sign_in_as
from tests.serving.console.console_texts import read_texts

HELD = re.compile(r"\{\w+\}|`[^`]+`")
SAME = {
    "Browser", "CSV", "Experiment", "Hypothese", "Journal", "Minute", "NDCG@10", "Name", "PSI", "Persona",
    "Pseudonym", "Segment", "Status", "Tablet", "Version", "Alarm", "interval, kafka, retention …", "p",
    "{amount} {currency}", "{list}: {model}", "{part}: {value}", "{weekday} {day}",
    "{action}: {element}", "{done}: {fields}.",
}  # fmt: skip
LOCAL = {"base_url": "http://127.0.0.1", "client": ("127.0.0.1", 50_000)}
OTHERS = sorted(set(NAMES) - {ENGLISH})


@pytest.fixture
def client(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    with TestClient(application(Tessera(config, seed=1)), **LOCAL) as client:
        yield client


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_with_the_same_values_and_code(language):
    words, texts = read_translations(language, FOLDER), read_texts()
    assert len(texts) > 450
    translated = {text: words.gettext(text) for text in texts}
    assert {text for text, other in translated.items() if text == other} <= SAME
    held = {text: sorted(HELD.findall(text)) for text in translated}
    assert [text for text, other in translated.items() if held[text] != sorted(HELD.findall(other))] == []


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_of_a_page_stays_english(client, language):
    read_language(language).missing.clear()
    for page in PAGES:
        answer = client.get(f"/console/{page}?lang={language}")
        assert answer.status_code == 200
        assert f'<html lang="{language}">' in answer.text
        assert SCRIPT not in answer.text
    for address in (
        "decisions?slot=hero",
        "recommendations?item=i1",
        "behaviour/part/funnel?step1=page_view",
        "experiments?metric=conversion&lift=10",
    ):
        client.get(f"/console/{address}&lang={language}")
    assert {text for text in read_language(language).missing if any(map(str.isalpha, text))} <= SAME


def test_numbers_and_dates_are_written_as_the_language_does(client):
    english, german = (unescape(client.get(f"/console/overview?lang={code}").text) for code in ("en", "de"))
    for text in ("9.50 EUR", "33.3%", "2026-05-31", "Sunday", "Visits with a purchase"):
        assert text in english
    for text in ("9,50 EUR", "33,3 %", "31.05.2026", "Sonntag", "Besuche mit Kauf"):
        assert text in german
    assert "Visits with a purchase" not in german
    csv = client.get("/console/overview/days.csv?lang=de").text
    assert csv.startswith("Date,Visitors,Visits\n")
    assert "2026-05-31" in csv


def test_the_browser_chooses_where_the_address_does_not(client):
    asks = {"accept-language": "de-CH, de;q=0.9, en;q=0.5"}
    assert '<html lang="de">' in client.get("/console/overview", headers=asks).text
    assert '<html lang="en">' in client.get("/console/overview?lang=en", headers=asks).text
    assert '<html lang="en">' in client.get("/console/overview?lang=xx").text
    assert '<html lang="en">' in client.get("/console/overview", headers={"accept-language": "fr"}).text
    answer = client.get("/console/overview", headers=asks)
    assert "Accept-Language" in answer.headers["vary"]


@pytest.mark.parametrize("page", ["overview", "segments", "settings", "decisions"])
def test_links_and_forms_keep_the_language_of_the_address(client, page):
    text = client.get(f"/console/{page}?lang=de").text
    links = [unescape(link) for link in re.findall(r'(?:href|action)="(/console[^"]*)"', text)]
    kept = [link for link in links if "/static/" not in link]
    assert len(kept) > len(PAGES)
    assert [link for link in kept if "lang=" not in link] == []
    assert sum("lang=en" in link for link in kept) == 1  # the other language
    for form in re.findall(r'<form [^>]*method="get".*?</form>', text, re.DOTALL):
        assert '<input type="hidden" name="lang" value="de">' in form
    unchosen = re.findall(r'(?:href|action)="(/console[^"]*)"', client.get(f"/console/{page}").text)
    assert sum("lang=" in link for link in unchosen) == 1  # the switch to the other language


def test_what_comes_of_a_form_keeps_the_language(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    fields = {"name": "ports.service", "value": "8010"}
    with TestClient(application(Tessera(config, seed=1)), base_url="http://tessera.example") as client:
        sign_in_as(client, home)
        shown = send(client, "settings", "propose?lang=de", **fields)
        assert "Die Änderung schreiben" in shown.text
        assert "Was sich in settings.yaml ändert" in shown.text
        assert 'action="/console/settings/apply?lang=de"' in shown.text
        written = send(client, "settings", "apply?lang=de", **hidden_fields(shown.text.replace("?lang=de", "")))
        assert written.headers["location"] == "/console/settings?word=ports.service&lang=de"


def test_an_address_names_a_language_once():
    page = '<a href="/console/a?x=1#top">A</a><a href="/console/b?lang=en">B</a><a href="/docs">C</a>'
    carried = carry_language(page, "de")
    assert carried == (
        '<a href="/console/a?x=1&amp;lang=de#top">A</a><a href="/console/b?lang=en">B</a><a href="/docs">C</a>'
    )
    assert carry_language(page, "") == page
    assert add_language("/console/a", "de") == "/console/a?lang=de"
    assert add_language("https://elsewhere.example/", "de") == "https://elsewhere.example/"
