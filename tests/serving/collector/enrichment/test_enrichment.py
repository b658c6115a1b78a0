import datetime as dt

import pytest

from ml.events.normalization.user_agents import ClientHints, detect_device, read_client_hints
from serving.collector.enrichment.channel import classify_channel, read_campaign
from serving.collector.enrichment.clock import correct_clock, parse_time
from serving.collector.enrichment.geolocation import (
    CountryLookup,
    MaxMindTable,
    apply_address_rule,
    locate_coordinates,
    truncate_address,
)
from tests.serving.collector.collecting import CHROME

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/129.0.0.0 Mobile Safari/537.36"
TABLET = "Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36"
IPAD = IPHONE.replace("iPhone; CPU iPhone OS", "iPad; CPU OS")
TV = "Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/5.0 TV Safari/538.1"
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HEADLESS = CHROME.replace("Chrome/", "HeadlessChrome/")


@pytest.mark.parametrize(
    ("agent", "kind", "system", "browser"),
    [
        (CHROME, "desktop", "Linux", "Chrome"),
        (IPHONE, "mobile", "iOS", "Mobile Safari"),
        (PIXEL, "mobile", "Android", "Chrome Mobile"),
        (TABLET, "tablet", "Android", "Chrome"),
        (IPAD, "tablet", "iOS", "Mobile Safari"),
        (TV, "tv", "Tizen", "Safari"),
        (GOOGLE, "bot", None, "Googlebot"),
        (HEADLESS, "bot", "Linux", "HeadlessChrome"),
    ],
)
def test_user_agents_tell_the_device(agent, kind, system, browser):
    device = detect_device(agent)
    assert (device.device_type, device.os, device.browser) == (kind, system, browser)


def test_client_hints_win_over_a_frozen_user_agent():
    hints = read_client_hints(
        '"Chromium";v="129", "Not=A?Brand";v="8", "Microsoft Edge";v="129"', "?1", '"Android"'
    )
    device = detect_device(PIXEL.replace("Android 14; Pixel 8", "Android 10; K"), hints)
    assert (device.device_type, device.os, device.browser) == ("mobile", "Android", "Edge")


def test_nothing_tells_nothing():
    assert detect_device(None) == detect_device(None, ClientHints())
    assert detect_device(None).device_type is None


@pytest.mark.parametrize(
    ("address", "network", "country"),
    [
        ("8.8.8.8", "8.8.8.0", "US"),
        ("200.147.3.157", "200.147.3.0", "BR"),
        ("2001:4860:4860::8888", "2001:4860:4860::", "US"),
        ("::ffff:8.8.8.8", "8.8.8.0", "US"),
        ("10.0.0.1", None, None),
        ("127.0.0.1", None, None),
        ("no address", None, None),
    ],
)
def test_addresses_are_truncated_before_the_country_is_looked_up(address, network, country):
    assert truncate_address(address) == network
    assert (CountryLookup().country_of(network) if network else None) == country


def test_what_is_kept_of_an_address_is_a_rule():
    assert [apply_address_rule("8.8.8.8", rule) for rule in ("drop", "truncate", "keep")] == [
        None,
        "8.8.8.0",
        "8.8.8.8",
    ]


def test_a_database_that_is_none_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"x\.mmdb"):
        MaxMindTable(tmp_path / "x.mmdb")


def test_coordinates_are_rounded_and_give_zone_and_country():
    assert locate_coordinates(52.5163, 13.3777, 1) == {
        "latitude": 52.5, "longitude": 13.4, "timezone": "Europe/Berlin", "country": "DE",
    }  # fmt: skip
    assert locate_coordinates(52.5163, 13.3777, 0)["latitude"] == 53.0


def test_the_open_sea_has_no_zone_and_nonsense_no_place():
    assert locate_coordinates(0.0, -30.0, 1) == {"latitude": 0.0, "longitude": -30.0}
    assert locate_coordinates(91.0, 0.0, 1) == {}
    assert locate_coordinates(float("nan"), 0.0, 1) == {}


@pytest.mark.parametrize(
    ("url", "referrer", "channel"),
    [
        ("https://shop.example/", None, "direct"),
        ("https://shop.example/a", "https://www.shop.example/b", "internal"),
        ("https://shop.example/", "https://www.google.co.uk/search", "search"),
        ("https://shop.example/", "https://mail.google.com/", "email"),
        ("https://shop.example/", "https://t.co/abc", "social"),
        ("https://shop.example/", "https://out.co/abc", "referral"),
        ("https://shop.example/?utm_medium=cpc", "https://www.google.com/", "paid"),
        ("https://shop.example/?gclid=1", "https://www.google.com/", "paid"),
        ("https://shop.example/?utm_medium=Email", None, "email"),
        ("https://shop.example/", "http://[broken", "direct"),
    ],
)
def test_the_channel_follows_from_referrer_and_campaign(url, referrer, channel):
    assert classify_channel(url, referrer) == channel


def test_campaign_parameters_are_read_from_the_address():
    url = "https://shop.example/?utm_source=letter&utm_campaign=spring%20sale&utm_term=&x=1"
    assert read_campaign(url) == {"utm_source": "letter", "utm_campaign": "spring sale"}


def test_a_clock_that_is_off_is_set_right():
    received = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    sent = dt.datetime(2023, 6, 1, tzinfo=dt.UTC)
    assert correct_clock(sent - dt.timedelta(seconds=30), sent, received) == received - dt.timedelta(seconds=30)
    assert correct_clock(sent + dt.timedelta(seconds=30), sent, received) == received
    assert correct_clock(sent, None, received) == sent


@pytest.mark.parametrize("year", [1, 1970, 2001, 2030, 2999])
def test_a_sending_time_that_the_clock_cannot_have_shown_is_ignored(year):
    received = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    occurred = received - dt.timedelta(minutes=5)
    assert correct_clock(occurred, dt.datetime(year, 1, 1, tzinfo=dt.UTC), received) == occurred


@pytest.mark.parametrize(
    "value", ["2023-11-14T22:13:20Z", 1_700_000_000, "1700000000000", 1_700_000_000_000, "2023-11-14 22:13:20 UTC"]
)
def test_moments_are_read_in_every_spelling(value):
    assert parse_time(value) == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


@pytest.mark.parametrize("value", [None, True, "soon", "1e999", [], 10**400])
def test_what_is_no_moment_is_none(value):
    assert parse_time(value) is None
