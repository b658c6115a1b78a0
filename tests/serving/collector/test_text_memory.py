"""Long texts, of which anybody can send as many as they like, keep no memory."""

import tracemalloc

import pytest

from ml.events.normalization.countries import normalize_country, normalize_region
from ml.events.normalization.currencies import normalize_currency
from ml.events.normalization.devices import normalize_device_type, normalize_network_type
from ml.events.normalization.event_names import normalize_event_type
from ml.events.normalization.languages import normalize_language
from ml.events.normalization.time_zones import normalize_time_zone
from ml.events.normalization.user_agents import detect_device
from serving.collector.enrichment.channel import classify_channel, read_campaign
from serving.collector.enrichment.geolocation import truncate_address
from serving.collector.privacy.personal_data import PiiRules, redact

TEXTS, CHARS = 1_000, 4_000  # urlsplit itself keeps the last 128
RULES = PiiRules("keep", "keep", "keep", frozenset(), frozenset(), frozenset())
FUNCTIONS = (
    *(normalize_country, normalize_currency, normalize_device_type, normalize_event_type, normalize_language),
    *(normalize_network_type, normalize_region, normalize_time_zone, detect_device, truncate_address),
    lambda text: classify_channel(f"https://shop.example/?utm_source={text}", f"https://{text}.example/"),
    lambda text: redact({text: 1}, RULES, str),
    lambda text: read_campaign(f"https://shop.example/?utm_source={text}"),
)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_long_texts_of_a_stranger_fill_no_memory(function) -> None:
    function("warm up")
    tracemalloc.start()
    try:
        for number in range(TEXTS):
            function(f"{number:05d}" + "x" * CHARS)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < TEXTS * CHARS / 2
