"""The languages that a person reads decide what is shown, unless a setting or a filter says otherwise."""

import dataclasses

import pyarrow as pa
import pytest
from bundles import publication, publish
from calls import ask, ids, post, recommend

from serving.recommend.answers import answer
from serving.requests import RecommendationRequest

LANGUAGES = ["de", "de-AT", "en", "en", "es", "es-MX", None, "de", "en", "pt_BR"]
SCROLLED = {"user_id": "new", "event_type": "scroll", "language": "es-AR"}
GERMAN, ENGLISH, SPANISH, FOR_ALL = {"i0", "i1", "i7"}, {"i2", "i3", "i8"}, {"i4", "i5"}, {"i6"}


@pytest.fixture
def mixed(config, home):
    items = publication().items
    place = items.column_names.index("language")
    publish(home.published, items=items.set_column(place, "language", pa.array(LANGUAGES, pa.string())))
    return config


def read(headers=None, **request):
    languages = {"languages": tuple(headers)} if headers else {}
    return lambda tessera: answer(tessera, RecommendationRequest(k=10, **request), languages)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([read(["de-DE"])], GERMAN | FOR_ALL),
        ([read(["es"])], SPANISH | FOR_ALL),
        ([read(["de-DE", "en"])], GERMAN | ENGLISH | FOR_ALL),
        ([read(["de"], context={"language": "es-ES"})], SPANISH | FOR_ALL),
        ([read(["pt"])], {"i9"} | FOR_ALL),
        ([read(context={"language": "DE_ch"})], GERMAN | FOR_ALL),
        ([post(SCROLLED), read(user_id="new")], SPANISH | FOR_ALL),
        ([read(["de"], filter={"language": ["en"]})], ENGLISH),
    ],
)  # fmt: skip
def test_only_what_can_be_read_is_shown(mixed, steps, expected):
    shown = set(ids(ask(mixed, *steps)))
    assert shown
    assert shown <= expected


def test_what_somebody_opened_says_what_they_read(mixed):
    """Two German items make a reader of German, beside what the browser says; one is a look."""
    opened = [{"user_id": "new", "item_id": item} for item in ("i0", "i1")]
    shown = set(ids(ask(mixed, post(*opened), read(["es"], user_id="new"))))
    assert shown == {"i4", "i5", "i6", "i7"}
    looked = set(ids(ask(mixed, post({"user_id": "curious", "item_id": "i0"}), read(["es"], user_id="curious"))))
    assert looked == {"i4", "i5", "i6"}


def test_without_a_language_everything_is_shown(mixed):
    assert set(ids(ask(mixed, recommend(k=10)))) & GERMAN
    assert set(ids(ask(mixed, recommend(k=10)))) & ENGLISH


def test_the_setting_switches_it_off(mixed):
    decisions = mixed.settings.decisions.model_copy(update={"only_readable_languages": False})
    config = dataclasses.replace(mixed, settings=mixed.settings.model_copy(update={"decisions": decisions}))
    assert set(ids(ask(config, read(["es"])))) & GERMAN


def test_a_catalogue_of_another_language_is_better_than_nothing(config, home):
    publish(home.published)
    assert len(ids(ask(config, read(["ja"])))) > 2
