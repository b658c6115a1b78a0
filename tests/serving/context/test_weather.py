"""The file of the weather, which somebody else updates while the service runs."""

import datetime as dt
import os

import pytest

from serving.context import weather

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def provider(tmp_path):
    file = tmp_path / "weather.csv"
    file.write_text("place,observed_at,condition,temperature,events\nVienna,2026-05-01T11:50:00+00:00,rain,9,\n")
    return weather.SurroundingsFile(file, stale_seconds=3600)


def test_a_file_that_comes_back_unchanged_is_read_again(provider):
    provider.refresh()
    assert provider.at("AT", None, "Vienna", NOW).condition == "rain"
    aside = provider.path.with_suffix(".aside")
    os.rename(provider.path, aside)
    provider.refresh()
    assert provider.at("AT", None, "Vienna", NOW).condition is None
    os.rename(aside, provider.path)
    provider.refresh()
    assert provider.at("AT", None, "Vienna", NOW).condition == "rain"
