from __future__ import annotations

import datetime as dt

from ml.segmentation.features.recent_activity import build_recent_features

DAYPARTS = {"day": (6, 22), "night": (22, 6)}


def at(hour: int) -> float:
    return dt.datetime(2026, 3, 1, hour, tzinfo=dt.UTC).timestamp()


def test_openings_become_the_shares_of_the_mart() -> None:
    openings = [(at(5), "sport"), (at(6), "sport"), (at(22), None), (at(21), "food")]
    assert build_recent_features(openings, "mobile", DAYPARTS) == {
        "category_shares": {"sport": 2 / 3, "food": 1 / 3},
        "daypart_shares": {"night": 0.5, "day": 0.5},
        "device_shares": {"mobile": 1.0},
    }


def test_unknown_values_are_left_out() -> None:
    assert build_recent_features([(at(12), None)], None, DAYPARTS) == {"daypart_shares": {"day": 1.0}}
