"""Sites that the tests share: made once, read only."""

import datetime as dt

import pyarrow as pa
import pytest

from ml.events.validation import validate_events
from ml.settings import load_settings
from ml.sources.simulator import Site, truth_tables

START = dt.date(2026, 3, 1)
NOW = dt.datetime(2026, 6, 29, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def settings():
    return load_settings().simulator


@pytest.fixture(scope="session")
def small_settings(settings):
    """300 users, 30 planned days."""
    return settings.model_copy(update={"users": 300, "days": 30, "items": 240, "new_items_per_day": 10})


@pytest.fixture(scope="session")
def site(settings):
    """1,500 users, 120 days: enough for lapsed users."""
    return Site(settings.model_copy(update={"users": 1500}), seed=7, start=START)


@pytest.fixture(scope="session")
def events(site):
    """Everything that arrived in the 120 days, malformed rows included."""
    return pa.concat_tables(site.events(0, 120))


@pytest.fixture(scope="session")
def sound(events):
    """The events that keep the contract, repeats and all."""
    return validate_events(events, NOW, check_json=False).accepted


@pytest.fixture(scope="session")
def truth(site):
    return truth_tables(site, 120)
