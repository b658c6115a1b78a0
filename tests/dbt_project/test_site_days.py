"""Days in the time zone of the site, over both changes of the clock, worked out by hand."""

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError

from ml.settings.warehouse import WarehouseSettings
from tests.dbt_project import built
from tests.dbt_project.built import Built, event, parsed_project, warehouse_in
from tests.dbt_project.test_increments import assert_same_as_full_refresh


def at(moment: str, **fields: object) -> dict[str, object]:
    occurred_at = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
    return event(0, **fields) | {"occurred_at": occurred_at, "received_at": occurred_at, "event_id": moment}


EVENTS = (
    # the day before the clocks go forward in Berlin ends at 23:00 UTC, the 29th itself at 22:00 UTC
    at("2026-03-28 22:59:59", user_id="ann", page_url="/a"),
    at("2026-03-28 23:00:00", user_id="bob", page_url="/a"),
    at("2026-03-28 23:00:01", user_id="bob", page_url="/a", event_type="add_to_cart"),  # a funnel has two steps
    at("2026-03-29 21:59:59", user_id="bob", page_url="/a"),
    at("2026-03-29 22:00:00", user_id="ann", page_url="/a"),
    # and the day on which they go back has 25 hours
    at("2026-10-24 21:59:59", user_id="cid", page_url="/a"),
    at("2026-10-24 22:00:00", user_id="dot", page_url="/a"),
    at("2026-10-25 22:59:59", user_id="dot", page_url="/a"),
    at("2026-10-25 23:00:00", user_id="eve", page_url="/a", timezone="America/New_York"),
)


@pytest.fixture(scope="module")
def berlin(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A site in Berlin; its events come in two increments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(built, "VARIABLES", built.VARIABLES | {"site_timezone": "Europe/Berlin"})
        folder: Path = tmp_path_factory.mktemp("berlin")
        warehouse = warehouse_in(folder / "home", parsed_project(folder / "dbt"))
        warehouse.ingest(*EVENTS[:6])
        warehouse.build()
        warehouse.ingest(*EVENTS[6:])
        warehouse.build()
        assert_same_as_full_refresh(warehouse)
    return warehouse


def date(month: int, day: int) -> dt.date:
    return dt.date(2026, month, day)


def test_days_begin_at_midnight_of_the_site(berlin: Built) -> None:
    assert berlin.rows("select date, sessions, active_users from daily_metrics order by 1") == [
        (date(3, 28), 1, 1), (date(3, 29), 2, 1), (date(3, 30), 1, 1),
        (date(10, 24), 1, 1), (date(10, 25), 2, 1), (date(10, 26), 1, 1),
    ]  # fmt: skip
    assert berlin.rows("select user_id, date, sessions from user_days order by 1, 2") == [
        ("ann", date(3, 28), 1), ("ann", date(3, 30), 1), ("bob", date(3, 29), 2),
        ("cid", date(10, 24), 1), ("dot", date(10, 25), 2), ("eve", date(10, 26), 1),
    ]  # fmt: skip
    assert berlin.rows("select user_id, active_days from users order by 1") == [
        ("ann", 2), ("bob", 1), ("cid", 1), ("dot", 1), ("eve", 1)
    ]  # fmt: skip
    assert berlin.rows("select date, sum(moves) from page_transitions group by 1 order by 1") == [
        (date(3, 28), 1), (date(3, 29), 2), (date(3, 30), 1),
        (date(10, 24), 1), (date(10, 25), 2), (date(10, 26), 1),
    ]  # fmt: skip
    entered = "select date, sum(entered) from funnels where funnel = 'purchase' and step_number = 1 group by 1"
    assert dict(berlin.rows(entered))[date(3, 29)] == 2


def test_weeks_of_retention_begin_on_the_monday_of_the_site(berlin: Built) -> None:
    # 2026-03-30 and 2026-10-26 are Mondays: Ann comes back in her second week, Eve comes for the first time
    weeks = "select cast(cohort_week as date), week_number, active_users from retention order by 1, 2"
    assert berlin.rows(weeks) == [
        (date(3, 23), 0, 2), (date(3, 23), 1, 1), (date(10, 19), 0, 2), (date(10, 26), 0, 1)
    ]  # fmt: skip


def test_visitors_whose_zone_is_not_known_have_the_clock_of_the_site(berlin: Built) -> None:
    assert berlin.rows(
        "select local_started_at, daypart from sessions where user_id in ('dot', 'eve') order by started_at"
    ) == [
        (dt.datetime(2026, 10, 25, 0, 0), "night"),
        (dt.datetime(2026, 10, 25, 23, 59, 59), "night"),
        (dt.datetime(2026, 10, 25, 19, 0), "evening"),
    ]


def test_a_zone_of_the_site_that_does_not_exist_is_refused_with_one_that_does() -> None:
    with pytest.raises(ValidationError, match="must be an IANA time zone such as Europe/Lisbon"):
        WarehouseSettings(site_timezone="Europe/Lisbonn")
