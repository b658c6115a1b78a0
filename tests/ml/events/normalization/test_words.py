"""Words of senders become words of the contract; each right value is written by hand."""

import pytest

from ml.events.normalization.countries import normalize_country, normalize_region
from ml.events.normalization.currencies import normalize_currency
from ml.events.normalization.devices import (
    normalize_browser,
    normalize_device_type,
    normalize_network_type,
    normalize_os,
    normalize_pixels,
)
from ml.events.normalization.languages import normalize_language
from ml.events.normalization.subdivisions import ENGLISH_NAMES
from ml.events.normalization.time_zones import normalize_time_zone


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Europe/London", "Europe/London"),
        ("Europe%2FLondon", "Europe/London"),
        ("europe/london", "Europe/London"),
        ("America/New York", "America/New_York"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("W.%20Europe%20Standard%20Time", "Europe/Berlin"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("UTC", "UTC"),
        ("undefined", None),
        ("+02:00", None),
        ("local", None),
        ("localtime", None),
        ("Factory", None),
        ("Etc/Unknown", None),
        ("Mars/Olympus", None),
        ("", None),
        ("../../etc/passwd", None),
    ],
)
def test_a_time_zone_is_a_name_of_the_iana_or_nothing(text, zone):
    assert normalize_time_zone(text) == zone


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("de-DE", "de-DE"),
        ("en_us", "en-US"),
        ("EN-us", "en-US"),
        ("en_US.UTF-8", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("en-US,en;q=0.9", "en-US"),
        ("es-419", "es-419"),
        ("German", "de"),
        ("undefined", None),
        ("(not set)", None),
        ("null", None),
        ("nan", None),
        ("und", None),
        ("xx", None),
        ("C", None),
        ("*", None),
    ],
)
def test_a_language_is_a_tag_of_bcp_47_or_nothing(text, tag):
    assert normalize_language(text) == tag


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("276", "DE"),
        ("Germany", "DE"),
        ("UK", "GB"),
        ("EIRE", "IE"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("Turkey", "TR"),
        ("Türkiye", "TR"),
        ("Côte d’Ivoire", "CI"),
        ("South Korea", "KR"),
        ("United States", "US"),
        ("USA", "US"),
        ("Russia", "RU"),
        ("Hong Kong", "HK"),
        ("XX", None),
        ("ZZ", None),
        ("EU", None),
        ("T1", None),
        ("(not set)", None),
        ("Atlantis", None),
    ],
)
def test_a_country_is_a_code_of_iso_3166_or_nothing(text, code):
    assert normalize_country(text) == code


@pytest.mark.parametrize(
    ("text", "country", "code"),
    [
        ("DE-BE", None, "DE-BE"),
        ("de_be", None, "DE-BE"),
        ("BE", "DE", "DE-BE"),
        ("BE", None, None),
        ("Berlin", "DE", "DE-BE"),
        ("Berlin", None, None),
        ("California", "US", "US-CA"),
        ("California", "DE", None),
        ("Bayern", "DE", "DE-BY"),
        ("Bavaria", "DE", "DE-BY"),
        ("Free State of Bavaria", "DE", "DE-BY"),
        ("Île-de-France", "FR", "FR-IDF"),
        ("ile de france", "FR", "FR-IDF"),
        ("Lot", "FR", "FR-46"),  # a department, which has the form of a code
        ("Lombardy", "IT", "IT-25"),
        ("State of Sao Paulo", "BR", "BR-SP"),
        ("Stockholm County", "SE", "SE-AB"),
        ("Community of Madrid", "ES", "ES-MD"),
        ("Principality of Asturias", "ES", "ES-AS"),
        ("Cantabria", "ES", "ES-CB"),  # a community of one province with the same name
        ("Wales", "GB", "GB-WLS"),
        ("Masovian Voivodeship", "PL", "PL-14"),
        ("Kyiv City", "UA", "UA-30"),
        ("Kyiv Oblast", "UA", "UA-32"),
        ("Limburg", "NL", "NL-LI"),
        ("Limburg", "BE", "BE-VLI"),
        ("St Petersburg", "RU", "RU-SPE"),
        ("11", "CN", "CN-11"),  # a code that ISO has replaced
        ("(not set)", "DE", None),
        ("Atlantis", "GR", None),
        ("", "DE", None),
    ],
)
def test_a_region_is_a_code_of_iso_3166_or_nothing(text, country, code):
    assert normalize_region(text, country) == code


def test_every_english_name_of_a_region_is_that_of_one_region():
    assert {normalize_region(name, code[:2]): code for code, name in ENGLISH_NAMES.items()} == {
        code: code for code in ENGLISH_NAMES
    }


@pytest.mark.parametrize(
    ("text", "word"),
    [("Smart TV", "tv"), ("iPhone", "mobile"), ("Desktop", "desktop"), ("iPad", "tablet"), ("fridge", None)],
)
def test_a_device_is_a_type_of_the_contract_or_nothing(text, word):
    assert normalize_device_type(text) == word


WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("text", "device", "system", "browser"),
    [
        (WINDOWS, "desktop", "Windows", "Chrome"),
        (f" {WINDOWS}\n", "desktop", "Windows", "Chrome"),
        ("Googlebot/2.1 (+http://www.google.com/bot.html)", "bot", "Other", "Googlebot"),
        ("curl/8.5.0", "bot", "Other", "curl"),
        ("tablet", "tablet", "tablet", "tablet"),
        ("Windows 10", None, "Windows 10", "Windows 10"),
        ("16/9", None, "16/9", "16/9"),
    ],
)
def test_a_user_agent_says_device_system_and_browser(text, device, system, browser):
    assert normalize_device_type(text) == device
    assert (normalize_os(text), normalize_browser(text)) == (system, browser)


@pytest.mark.parametrize(("text", "word"), [("4G", "4g"), ("LTE", "4g"), ("slow-2g", "slow-2g"), ("wifi", None)])
def test_a_network_is_a_type_of_the_contract_or_nothing(text, word):
    assert normalize_network_type(text) == word


@pytest.mark.parametrize(
    ("value", "pixels"),
    [(390, 390), ("390", 390), (411.4, 411), ("390px", 390), (0, None), (-1, None), (1e9, None)],
)
def test_a_screen_is_as_large_as_screens_are(value, pixels):
    assert normalize_pixels(value) == pixels


@pytest.mark.parametrize(
    ("text", "code"), [("eur", "EUR"), ("€", "EUR"), ("US Dollar", "USD"), ("$", None), ("points", None)]
)
def test_a_currency_is_a_code_of_iso_4217_or_nothing(text, code):
    assert normalize_currency(text) == code
