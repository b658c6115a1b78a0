"""What people did: totals, money, retention, funnels and rates, summed by hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from ml.home import Home
from orchestration.cli import app

PURCHASE_STEPS = ("page_view", "add_to_cart", "checkout", "purchase")


def test_every_figure_of_the_plain_count_agrees(materialized_home: Home) -> None:
    done = CliRunner().invoke(app, ["check", "--home", str(materialized_home.path)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def purchases(certain: pd.DataFrame) -> pd.DataFrame:
    """Purchases of certain people, with the order that each belongs to."""
    bought = certain[certain["event_type"] == "purchase"]
    orders = [json.loads(text).get("order_id") if text else None for text in bought["properties"]]
    return bought.assign(order_id=pd.Series(orders, index=bought.index).fillna(bought["event_id"]))


def test_money_and_orders_of_every_certain_person_are_those_of_the_events(purchases: pd.DataFrame, mart) -> None:
    by_person = purchases.groupby("person")
    plain = pd.DataFrame({"revenue": by_person["value"].sum(), "purchases": by_person["order_id"].nunique()})
    users = mart("select user_id, revenue, purchases from users").set_index("user_id").loc[plain.index]
    assert len(plain) > 10
    assert (users["revenue"] - plain["revenue"]).abs().max() < 0.005
    assert (users["purchases"] == plain["purchases"]).all()


def test_weekly_retention_is_that_of_the_days_on_which_people_came(mart) -> None:
    sessions = mart("select user_id, started_at from sessions where not is_bot and not is_internal")
    week = sessions["started_at"].dt.floor("D") - pd.to_timedelta(sessions["started_at"].dt.weekday, unit="D")
    weeks = sessions.assign(week=week.dt.floor("D"))
    cohort = weeks.groupby("user_id")["week"].min().rename("cohort")
    active = weeks.join(cohort, on="user_id").drop_duplicates(["user_id", "week"])
    number = ((active["week"] - active["cohort"]).dt.days // 7).rename("number")
    plain = active.groupby([active["cohort"].rename("cohort"), number])["user_id"].nunique()
    found = mart("select cohort_week, week_number, active_users, cohort_users, retention from retention")
    found["cohort_week"] = pd.to_datetime(found["cohort_week"])
    counted = found.set_index(["cohort_week", "week_number"])["active_users"]
    assert counted.to_dict() == plain.to_dict()
    assert (found["retention"] - found["active_users"] / found["cohort_users"]).abs().max() < 1e-6
    assert found["retention"].between(0, 1).all()


def test_the_funnel_of_visits_counts_the_visits_that_went_on_in_order(certain: pd.DataFrame, mart) -> None:
    """Of visits that hold the steps in this order, each step holds the ones that reached it."""
    reached = dict.fromkeys(PURCHASE_STEPS, 0)
    for _, kinds in certain[certain["event_type"].isin(PURCHASE_STEPS)].groupby("visit")["event_type"]:
        place = 0
        for kind in kinds:
            if kind == PURCHASE_STEPS[place]:
                reached[kind] += 1
                place += 1
                if place == len(PURCHASE_STEPS):
                    break
    steps = mart(
        "select step, step_number, sum(entered) as entered, sum(converted) as converted, sum(dropped) as dropped "
        "from funnels where funnel = 'purchase' group by all order by step_number"
    )
    assert tuple(steps["step"]) == PURCHASE_STEPS
    assert (steps["entered"].astype(int) == steps["converted"].astype(int) + steps["dropped"].astype(int)).all()
    for number, step in enumerate(PURCHASE_STEPS):
        # The others are visits of people on shared devices, and of what the mart cuts at a campaign.
        assert reached[step] <= int(steps["entered"][number]) * 1.02
        assert reached[step] >= int(steps["entered"][number]) * 0.6
    assert list(steps["converted"][:-1].astype(int)) == list(steps["entered"][1:].astype(int))


def test_every_funnel_adds_up_and_drops_nobody_at_its_last_step(mart) -> None:
    steps = mart(
        "select funnel, step_number, sum(entered) as entered, sum(converted) as converted, "
        "sum(dropped) as dropped from funnels group by all order by funnel, step_number"
    )
    for name, funnel in steps.groupby("funnel"):
        entered, converted, dropped = (
            funnel[column].astype(int).tolist() for column in ("entered", "converted", "dropped")
        )
        assert entered == [c + d for c, d in zip(converted, dropped, strict=True)], name
        assert converted[:-1] == entered[1:], name
        assert dropped[-1] == 0, name


def test_attention_to_pages_is_what_their_pings_and_exits_say(certain: pd.DataFrame, mart) -> None:
    """The seconds that trackers report when a page is left are those of the mart, for every certain person."""
    exits = certain[certain["event_type"] == "page_exit"].groupby("person")["value"].sum()
    views = mart("select user_id, sum(exit_seconds) as seconds from page_views group by user_id").set_index(
        "user_id"
    )
    both = pd.concat([exits.rename("plain"), views["seconds"].rename("counted")], axis=1, join="inner")
    assert len(both) > 100
    assert both["counted"].sum() == pytest.approx(both["plain"].sum(), rel=0.02)


def test_visits_come_by_the_channel_that_their_first_page_view_names(certain: pd.DataFrame, mart) -> None:
    first = certain[certain["event_type"] == "page_view"].drop_duplicates("visit")
    named = [json.loads(text).get("channel") if text else None for text in first["properties"]]
    plain = pd.Series(named).value_counts(normalize=True)
    assert len(plain) >= 4
    people = set(certain["person"])
    sessions = mart("select user_id, channel from sessions where not is_bot and page_views > 0")
    found = sessions.loc[sessions["user_id"].isin(people), "channel"].value_counts(normalize=True)
    # A campaign link inside a visit begins another one in the mart.
    for channel, share in plain.items():
        assert found[channel] == pytest.approx(share, abs=0.01), channel
