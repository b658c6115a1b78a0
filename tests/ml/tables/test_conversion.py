import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest

from ml.tables.conversion import as_number, as_text, as_timestamp, json_objects, translate_codes


def test_whole_floats_become_integers_in_text():
    assert as_text(pa.array([17850.0, None, 3.0])).to_pylist() == ["17850", None, "3"]


def test_text_is_trimmed_and_blank_is_null():
    assert as_text(pa.array([" a ", "  ", None])).to_pylist() == ["a", None, None]


def test_numbers_in_text_are_read_and_others_marked():
    numbers, bad = as_number(pa.array(["1.5", "-2e3", "abc", None, ""]))
    assert numbers.to_pylist() == [1.5, -2000.0, None, None, None]
    assert bad.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("unit", "value"),
    [("s", 1506826800), ("ms", 1506826800000), ("us", 1506826800000000), ("ns", 1506826800 * 10**9)],
)
def test_a_number_is_a_time_in_its_unit(unit, value):
    times, bad = as_timestamp(pa.array([value]), unit=unit)
    assert times[0].as_py() == dt.datetime(2017, 10, 1, 3, tzinfo=dt.UTC)
    assert not bad.any()


def test_digits_in_text_are_a_time_in_their_unit():
    times, bad = as_timestamp(pa.array(["1506826800.5", "soon"]), unit="s")
    assert times[0].as_py() == dt.datetime(2017, 10, 1, 3, 0, 0, 500_000, tzinfo=dt.UTC)
    assert bad.tolist() == [False, True]


def test_iso_times_with_and_without_zone_stand_side_by_side():
    texts = ["2024-07-01T10:00:00Z", "2024-07-01T10:00:00+02:00", "2024-07-01 10:00:00", "2024-07-01", "1 July"]
    times, bad = as_timestamp(pa.array(texts), timezone="Europe/London")
    hours = [time and (time.day, time.hour) for time in times.to_pylist()]
    assert hours == [(1, 10), (1, 8), (1, 9), (30, 23), None]
    assert bad.tolist() == [False, False, False, False, True]


def test_a_day_that_does_not_exist_is_marked_and_spares_its_neighbours():
    times, bad = as_timestamp(pa.array(["2024-02-31T00:00:00Z", "2024-02-28T00:00:00Z"]))
    assert bad.tolist() == [True, False]
    assert times[1].as_py() == dt.datetime(2024, 2, 28, tzinfo=dt.UTC)


def test_a_format_reads_other_spellings():
    times, bad = as_timestamp(pa.array(["31/12/2010 08:26", "x"]), form="%d/%m/%Y %H:%M", timezone="Europe/London")
    assert times[0].as_py() == dt.datetime(2010, 12, 31, 8, 26, tzinfo=dt.UTC)
    assert bad.tolist() == [False, True]


def test_an_hour_that_the_clocks_skip_is_moved_on():
    times, _ = as_timestamp(pa.array(["2011-03-27 01:30:00"]), timezone="Europe/London")
    assert times[0].as_py() == dt.datetime(2011, 3, 27, 1, 0, tzinfo=dt.UTC)


def test_codes_without_a_word_are_null():
    assert translate_codes(pa.array([1, 2, 9]), {"1": "web", "2": "app"}).to_pylist() == ["web", "app", None]


def test_objects_keep_types_and_leave_nulls_out():
    texts = json_objects(
        {
            'a "b"': pa.array(['say "hi"\n', None]),
            "n": pa.array([1.5, None]),
            "flag": pa.array([True, None]),
            "list": pa.array([[1, 2], None]),
        }
    ).to_pylist()
    assert json.loads(texts[0]) == {'a "b"': 'say "hi"\n', "n": 1.5, "flag": True, "list": "[1,2]"}
    assert texts[1] is None


def test_a_number_that_json_cannot_write_is_left_out():
    assert json_objects({"n": pa.array([np.nan, 1.0])}).to_pylist() == [None, '{"n":1}']
