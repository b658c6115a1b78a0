"""One moment in many spellings, and what is no time at all."""

import datetime as dt

import pytest

from ml.events.normalization.times import parse_moment_of

MOMENT = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)  # 1,704,103,200 s since 1970


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-01T10:00:00Z",
        "2024-01-01 10:00:00 UTC",
        "2024-01-01 10:00:00+00",
        "2024-01-01 11:00:00.000+01",
        "2024-01-01T15:30:00+0530",
        "2024-01-01T10:00:00",
        "2024-01-01 10:00:00.000000000 +0000 UTC",
        "20240101T100000Z",
        "Mon, 01 Jan 2024 10:00:00 GMT",
        "Mon Jan 01 2024 11:00:00 GMT+0100 (CET)",
        "Mon Jan 01 02:00:00 -0800 2024",
        "Mon Jan  1 10:00:00 2024",
        "Jan 1 10:00:00 UTC 2024",
        1_704_103_200,
        1_704_103_200.0,
        1_704_103_200_000,
        1_704_103_200_000_000,
        1_704_103_200_000_000_000,
        "1704103200",
        "1704103200000",
        " 1704103200000 ",
        dt.datetime(2024, 1, 1, 10),
    ],
)
def test_a_moment_is_read_in_every_spelling(value):
    assert parse_moment_of(value) == MOMENT


def test_fractions_of_a_second_are_kept_to_the_microsecond():
    expected = MOMENT + dt.timedelta(microseconds=123_456)
    assert parse_moment_of("2024-01-01T10:00:00.123456789Z") == expected
    assert parse_moment_of("2024-01-01 10:00:00.123+00") == MOMENT + dt.timedelta(milliseconds=123)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "",
        "now",
        "10:00",
        "12 o'clock",
        "1 January",
        "2024-02-31",
        True,
        None,
        [],
        float("nan"),
        1e300,
    ],
)
def test_what_is_no_time_is_an_error(value):
    with pytest.raises(ValueError):
        parse_moment_of(value)
