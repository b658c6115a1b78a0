from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from ml.segmentation.audiences.audiences import (
    CONTACT_SCHEMA,
    Audience,
    ContactLog,
    build_audience,
    deliver_audience,
)
from ml.segmentation.audiences.sending_times import send_after
from ml.settings import load_settings
from ml.settings.segmentation import Channel

NOW = dt.datetime(2026, 7, 15, 12, tzinfo=dt.UTC)
SETTINGS = load_settings().segmentation.audiences.model_copy(
    update={"cap_contacts": 2, "cap_days": 30.0, "quiet_days": 3.0, "quiet_from_hour": 21, "quiet_until_hour": 8}
)
USERS = pa.table(
    {
        "user_id": ["ann", "bob", "cem", "dia"],
        "has_personalization_consent": [True, False, True, True],
        "timezone": ["Europe/Berlin", "UTC", "America/Los_Angeles", None],
        "language": ["de", "en", "en", "fr"],
        "page_views": [3, 4, 5, 6],
    }
)


def contacts(*rows: tuple[str, float], held_out: bool = False) -> pa.Table:
    return pa.table(
        [
            [user for user, _ in rows],
            ["spring"] * len(rows),
            [NOW - dt.timedelta(days=days) for _, days in rows],
            [held_out] * len(rows),
        ],
        schema=CONTACT_SCHEMA,
    )


def build(log: pa.Table, users: pa.Table = USERS, **options: float) -> Audience:
    return build_audience("spring", users, list("ABCD"), contacts=log, settings=SETTINGS, now=NOW, **options)


def test_only_consenting_users_are_contacted_each_with_their_strategy() -> None:
    audience = build(contacts())
    assert audience.table.select(["user_id", "strategy", "language"]).to_pylist() == [
        {"user_id": "ann", "strategy": "A", "language": "de"},
        {"user_id": "cem", "strategy": "C", "language": "en"},
        {"user_id": "dia", "strategy": "D", "language": "fr"},
    ]
    assert audience.left_out["no consent"] == 1
    assert "page_views" not in audience.table.column_names


def test_a_quiet_period_and_the_cap_leave_people_out() -> None:
    audience = build(contacts(("ann", 2.9), ("cem", 29), ("cem", 10), ("dia", 31), ("dia", 10)))
    assert audience.table["user_id"].to_pylist() == ["dia"]
    assert audience.left_out == {
        "no consent": 1,
        "contacted within 3 days": 1,
        "contacted 2 times within 30 days": 1,
        "quiet hours all day": 0,
        "held out": 0,
    }


@pytest.mark.parametrize(
    ("channel", "reached"), [("mail", ["ann"]), ("push", ["ann"]), ("on_site", ["ann", "cem", "dia"])]
)
def test_an_audience_holds_whom_its_channel_reaches(channel: Channel, reached: list[str]) -> None:
    users = USERS.append_column("is_known", pa.array([True, True, False, None]))
    audience = build_audience(
        "spring", users, list("ABCD"), contacts=contacts(), settings=SETTINGS, now=NOW, channel=channel
    )
    assert audience.table["user_id"].to_pylist() == reached
    assert set(audience.table["channel"].to_pylist()) == {channel}
    unreachable = {"mail": 2, "push": 2, "on_site": 0}[channel]
    assert audience.left_out.get(f"without a user id, which {channel} needs", 0) == unreachable


def test_a_longer_exclusion_can_be_requested() -> None:
    assert build(contacts(("ann", 6)), exclude_contacted_days=7).table["user_id"].to_pylist() == ["cem", "dia"]
    assert build(contacts(("ann", 6)), exclude_contacted_days=5).table.num_rows == 3


def test_a_user_who_was_held_out_counts_as_not_contacted() -> None:
    assert build(contacts(("ann", 1), held_out=True)).table.num_rows == 3


def test_the_same_people_are_held_out_every_time(tmp_path: Path) -> None:
    users = pa.table({"user_id": [f"u{i}" for i in range(2000)], "has_personalization_consent": [True] * 2000})
    made = [
        build_audience(
            "spring",
            users,
            [""] * 2000,
            contacts=contacts(),
            settings=SETTINGS,
            now=NOW + dt.timedelta(days=day),
            hold_out=0.2,
        )
        for day in (0, 40)
    ]
    assert made[0].held_out.to_pylist() == made[1].held_out.to_pylist()
    assert 340 <= len(made[0].held_out) <= 460
    log = ContactLog(tmp_path)
    log.append(made[0], NOW)
    logged = log.read()
    assert logged.num_rows == 2000
    assert sum(logged["is_held_out"].to_pylist()) == len(made[0].held_out)


def test_without_the_consent_column_nobody_is_contacted() -> None:
    with pytest.raises(ValueError, match="has_personalization_consent"):
        build_audience(
            "x",
            USERS.drop_columns(["has_personalization_consent"]),
            [""] * 4,
            contacts=contacts(),
            settings=SETTINGS,
            now=NOW,
        )


@pytest.mark.parametrize(
    ("hour", "zone", "expected"),
    [
        (12, "UTC", "2026-07-15T12:00"),
        (21, "UTC", "2026-07-16T08:00"),
        (7, "UTC", "2026-07-15T08:00"),
        (20, "Europe/Berlin", "2026-07-16T06:00"),  # 22:00 there; sent at 8:00 the next morning
        (12, "America/Los_Angeles", "2026-07-15T15:00"),  # 5:00 there
        (12, "Nowhere/At_All", "2026-07-15T12:00"),
    ],
)
def test_nothing_is_sent_in_the_quiet_hours_of_the_user(hour: int, zone: str, expected: str) -> None:
    when = send_after(NOW.replace(hour=hour), zone, [(SETTINGS.quiet_from_hour, SETTINGS.quiet_until_hour)])
    assert when is not None
    assert when.isoformat() == f"{expected}:00+00:00"


@pytest.mark.parametrize(
    ("quiet", "expected"),
    [
        ([(12, 13.5)], "2026-07-15T13:30"),
        ([(21, 8), (11, 15), (14, 17)], "2026-07-15T17:00"),
        ([(20, 8), (11, 21)], "2026-07-16T08:00"),
        ([(13, 14)], "2026-07-15T12:00"),
        ([(12, 24)], "2026-07-16T00:00"),
        ([(21, 8), (8, 21)], None),
    ],
)
def test_a_message_waits_for_the_end_of_all_quiet_hours(
    quiet: list[tuple[float, float]], expected: str | None
) -> None:
    when = send_after(NOW.replace(hour=12), "UTC", quiet)
    assert (when.isoformat() if when else None) == (f"{expected}:00+00:00" if expected else None)


def test_the_hours_that_people_set_themselves_are_kept() -> None:
    users = USERS.append_column("quiet_from_hour", pa.array([9.0, None, None, 8.0]))
    users = users.append_column("quiet_until_hour", pa.array([20.0, None, None, 21.0]))
    audience = build(contacts(), users)
    assert audience.table["user_id"].to_pylist() == ["ann", "cem"]
    assert [when.hour for when in audience.table["send_after"].to_pylist()] == [18, 15]
    assert audience.left_out["quiet hours all day"] == 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_delivered_audience_is_logged(tmp_path: Path, suffix: str) -> None:
    log, file = ContactLog(tmp_path / "contacts"), tmp_path / "out" / f"spring{suffix}"
    deliver_audience(build(log.read()), file, log, NOW)
    written = pyarrow.csv.read_csv(file) if suffix == ".csv" else pq.read_table(file)
    assert written["user_id"].to_pylist() == ["ann", "cem", "dia"]
    assert log.read()["user_id"].to_pylist() == ["ann", "cem", "dia"]
    assert build(log.read()).table.num_rows == 0


def test_another_suffix_is_refused_before_anything_is_logged(tmp_path: Path) -> None:
    log = ContactLog(tmp_path / "contacts")
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        deliver_audience(build(log.read()), tmp_path / "spring.xlsx", log, NOW)
    assert log.read().num_rows == 0
