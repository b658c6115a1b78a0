from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from ml.segmentation.audiences.sending_times import choose_sending_time, compute_sending_times
from ml.settings import load_settings

NOON = dt.datetime(2026, 7, 15, 12, tzinfo=dt.UTC)
QUIET = [(21.0, 8.0)]


def visits(**by_hour: int) -> list[int]:
    """Sessions by local hour; `h7=5` are five at 7."""
    return [by_hour.get(f"h{hour}", 0) for hour in range(24)]


@pytest.mark.parametrize(
    ("zone", "counts", "window", "expected"),
    [
        # Somebody who comes at 19 is written to at 19, by their own clock.
        ("UTC", visits(h19=9), None, "2026-07-15T19:00"),
        ("Europe/Berlin", visits(h19=9), None, "2026-07-15T17:00"),
        ("America/Los_Angeles", visits(h19=9), None, "2026-07-16T02:00"),
        # Within the hour there is nothing to wait for; an hour that has passed comes again tomorrow.
        ("UTC", visits(h12=9), None, "2026-07-15T12:00"),
        ("UTC", visits(h10=9), None, "2026-07-16T10:00"),
        # Morning people who come at 7 are written to when the quiet hours end at 8.
        ("UTC", visits(h6=2, h7=9, h9=1), (5, 12), "2026-07-16T08:00"),
        # Outside of the strategy's hours nothing is sent, however often somebody comes there.
        ("UTC", visits(h15=9, h9=1), (5, 12), "2026-07-16T09:00"),
        # Two visits show no habit: the first permitted time.
        ("UTC", visits(h19=2), None, "2026-07-15T12:00"),
        ("UTC", None, (5, 12), "2026-07-16T08:00"),
        # Night people: all of their hours are quiet, so it is the first time that is not.
        ("UTC", visits(h23=9), (22, 5), "2026-07-15T12:00"),
    ],
)
def test_people_are_written_to_when_they_come_and_it_is_not_quiet(
    zone: str, counts: list[int] | None, window: tuple[float, float] | None, expected: str
) -> None:
    time = choose_sending_time(NOON, zone, QUIET, counts, window)
    assert time is not None
    assert time.isoformat() == f"{expected}:00+00:00"


def test_visits_in_the_next_hour_count_in_part() -> None:
    # 18 has 2 visits and half of the 3 + 3 around it, which makes 5; 9 has 4 and no neighbours.
    counts = visits(h9=4, h17=3, h18=2, h19=3)
    assert choose_sending_time(NOON, "UTC", QUIET, counts) == NOON.replace(hour=18)


def test_the_own_quiet_hours_of_a_person_hold_too_and_may_cover_the_day() -> None:
    users = pa.table(
        {
            "timezone": ["UTC", "UTC", "UTC"],
            "sessions_by_local_hour": [visits(h19=9)] * 3,
            "quiet_from_hour": [None, 18.5, 8.0],
            "quiet_until_hour": [None, 19.5, 21.0],
        }
    )
    settings = load_settings().segmentation.audiences.model_copy(
        update={"quiet_from_hour": 21, "quiet_until_hour": 8}
    )
    times = compute_sending_times(users, NOON, settings)
    assert times[0] == NOON.replace(hour=19)
    assert times[1] == NOON.replace(hour=19, minute=30)
    assert times[2] is None
