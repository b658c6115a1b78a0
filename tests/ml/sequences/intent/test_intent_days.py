"""What a model of intent said of each day against what came, worked out again visit by visit and by drawing."""

import datetime as dt
from collections import defaultdict
from math import log
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from ml.sequences.intent.boosting import BoostingShape
from ml.sequences.intent.examples import TARGETS, Examples, build_examples
from ml.sequences.intent.intent_days import judge_held_visits, judge_later_visits, merge_intent_days
from ml.sequences.intent.measures import MEASURES
from ml.sequences.intent.model import IntentModel, IntentStudy, study_intent
from ml.sequences.intent.running_visit import FEATURES, RunningVisit
from tests.ml.sequences.intent.site_of_visits import START, table_of

BERLIN = ZoneInfo("Europe/Berlin")
SIGNALS = ("click:plan", "scroll")
PAUSE = dt.timedelta(minutes=30)
VISITS, CUT, EVERY = 3_840, 2_880, 900  # a visit each quarter of an hour; the model learns from the first ones
WEEK = dt.timedelta(days=7)


def draw_site(seed, *, buys=True):
    """Visits of twelve actions; every other person comes back after two days, and a click on the plan sells."""
    generator = np.random.default_rng(seed)
    people, rows = [], []
    for visit in range(VISITS):
        comes_back = visit >= 200 and generator.random() < 0.4
        people.append(people[visit - 200] if comes_back else visit)
        clicks = generator.random() < 0.3
        kinds = ["page_view", "click" if clicks else "scroll", *["scroll"] * 6]
        kinds += ["page_view" if generator.random() < 0.5 else "scroll", *["scroll"] * 2]
        kinds.append("purchase" if buys and generator.random() < (0.6 if clicks else 0.05) else "scroll")
        for place, kind in enumerate(kinds):
            element, value = ("plan", None) if kind == "click" else (None, 50.0)
            rows.append((visit, f"u{people[visit]:05d}", EVERY * visit + 10 * place, kind, element, "i1", value))
    return table_of(sorted(rows, key=lambda row: (row[1], row[0], row[2])))


def learn(actions):
    examples = build_examples(actions, SIGNALS, lambda item: True, "purchase")
    return study_intent(examples, "purchase", 1, BoostingShape(trees=20))


@pytest.fixture(scope="module")
def site():
    actions = draw_site(1)
    early = actions.filter(pa.array(np.asarray(actions["session_key"]) < CUT))
    return actions, learn(early).model


def judge(actions, model, **how):
    examples = build_examples(actions, SIGNALS, lambda item: True, "purchase")
    return judge_later_visits(model, examples, BERLIN, **{"pause": PAUSE} | how)


def outcomes_by_hand(actions, model):
    """What the service would have said and what came, by date, target and number of actions; plain loops."""
    visits = defaultdict(list)
    for row in actions.to_pylist():
        visits[row["user_id"], row["session_key"]].append(row)
    newest = max(row["occurred_at"] for rows in visits.values() for row in rows)
    pairs, running, person = defaultdict(list), RunningVisit(), None
    ordered = sorted(visits)
    for place, (user, session) in enumerate(ordered):
        rows = visits[user, session]
        running, person = (running.begin_next() if user == person else RunningVisit()), user
        following = ordered[place + 1] if place + 1 < len(ordered) else (None, None)
        ended = rows[-1]["occurred_at"]
        for number, row in enumerate(rows, 1):
            at = row["occurred_at"].replace(tzinfo=dt.UTC).timestamp()
            running.fold(row["event_type"], at, row["element"], row["item_id"], row["value"], row["device_type"])
            started = rows[0]["occurred_at"]
            if number not in (3, 5, 10) or started <= model.read_until:
                continue
            if ended + PAUSE > newest:
                continue
            rest = [later["event_type"] for later in rows[number:]]
            came = {"convert": "purchase" in rest, "leave": "page_view" not in rest}
            if ended + WEEK <= newest:
                came["return"] = following[0] == user and visits[following][0]["occurred_at"] - ended <= WEEK
            date = started.replace(tzinfo=dt.UTC).astimezone(BERLIN).date()
            for target, chance in model.tell(running, lambda item: True).items():
                if target in came:
                    pairs[date, target, number].append((chance, float(came[target]), user))
    return {key: listed for key, listed in pairs.items() if len(listed) >= 30}


def test_each_day_has_what_the_service_would_have_said_and_what_came(site):
    actions, model = site
    assert set(model.chances) == set(TARGETS)
    by_hand = outcomes_by_hand(actions, model)
    rows = {(row["date"], row["target"], row["actions"]): row for row in judge(actions, model).to_pylist()}
    assert rows.keys() == by_hand.keys()
    assert {target for _, target, _ in rows} == set(TARGETS)
    assert len({date for date, *_ in rows}) >= 8
    for key, listed in by_hand.items():
        row, n = rows[key], len(listed)
        chances, came, users = zip(*listed, strict=True)
        share = sum(came) / n
        assert (row["visits"], row["people"], row["share"]) == (n, len(set(users)), pytest.approx(share))
        assert row["mean_chance"] == pytest.approx(sum(chances) / n)
        assert row["difference"] == pytest.approx(share - sum(chances) / n)
        assert row["brier"] == pytest.approx(sum((y - p) ** 2 for p, y, _ in listed) / n)
        assert row["base_brier"] == pytest.approx(sum((y - share) ** 2 for y in came) / n)
        assert row["log_loss"] == pytest.approx(-sum(log(p if y else 1 - p) for p, y, _ in listed) / n)
        base = -sum(log(share if y else 1 - share) for y in came) / n
        assert row["base_log_loss"] == pytest.approx(base)
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
        assert (row["read_until"], row["is_held_out"], row["goal"]) == (model.read_until, False, "purchase")


def test_a_training_is_judged_by_the_visits_that_it_held_out(site):
    actions, _ = site
    study = learn(actions)
    rows = judge_held_visits(study, BERLIN, PAUSE).to_pylist()
    assert {row["target"] for row in rows} == set(TARGETS)
    assert all(row["is_held_out"] for row in rows)
    starts = sorted(min(times) for times in actions.to_pandas().groupby("session_key")["occurred_at"].apply(list))
    first = starts[int(len(starts) * 0.8)]
    over = [
        at for at in starts if at >= first and at + PAUSE + dt.timedelta(seconds=110) <= study.model.read_until
    ]
    dates = [at.tz_localize("UTC").astimezone(BERLIN).date() for at in over]
    leaves = {row["date"]: row["visits"] for row in rows if (row["target"], row["actions"]) == ("leave", 3)}
    assert leaves == {date: dates.count(date) for date in set(dates) if dates.count(date) >= 30}


def test_a_site_without_conversions_has_days_of_the_other_targets():
    actions = draw_site(2, buys=False)
    early = learn(actions.filter(pa.array(np.asarray(actions["session_key"]) < CUT))).model
    rows = judge(actions, early).to_pylist()
    assert {row["target"] for row in rows} == {"leave", "return"}


def test_a_day_without_any_conversion_still_has_an_interval():
    (row,) = days_of(np.full(60, 0.02), np.zeros(60))
    assert (row["share"], row["base_brier"], row["base_log_loss"]) == (0.0, 0.0, 0.0)
    assert row["difference"] == pytest.approx(-0.02)
    assert row["difference_low"] == pytest.approx(-0.02)  # a share is never below 0
    assert row["difference_high"] > 0.01


def test_a_visit_that_may_go_on_and_a_site_without_visits_are_not_judged(site):
    actions, model = site
    over = judge(actions, model)
    none_over = judge(actions, model, pause=dt.timedelta(days=999))
    assert over.num_rows > none_over.num_rows == 0
    assert judge(actions.slice(0, 0), model).num_rows == 0
    assert judge_held_visits(learn(actions.slice(0, 0)), BERLIN, PAUSE).num_rows == 0
    until_newest = IntentModel("purchase", SIGNALS, model.chances, dt.datetime(2027, 1, 1))
    assert judge(actions, until_newest).num_rows == 0
    with pytest.raises(ValueError, match="until when its training read"):
        judge(actions, IntentModel("purchase", SIGNALS, model.chances))


def days_of(chances, labels, people=None):
    """Judge chances to convert of visits of one day, each after three actions."""
    n = len(chances)
    at = np.full(n, int(START.timestamp() * 1e6), dtype=np.int64)
    other = np.full(n, np.nan)
    examples = Examples(
        (), np.zeros((n, len(FEATURES)), dtype=np.float32), np.column_stack([labels, other, other]),
        np.full(n, 3), np.arange(n) if people is None else people, np.arange(n), at, at, int(at.max() + 1e13),
    )  # fmt: skip
    model = IntentModel("purchase", (), {}, START.replace(tzinfo=None))
    all_chances = np.column_stack([chances, other, other])
    study = IntentStudy(model, examples, all_chances, MEASURES.empty_table())
    return judge_held_visits(study, BERLIN, PAUSE).to_pylist()


@pytest.mark.parametrize(("visits_each", "mean"), [(1, 0.3), (1, 0.03), (5, 0.3)])
def test_the_interval_holds_zero_while_the_chances_hold(visits_each, mean):
    """People's visits are drawn alike: all of a person's five come true, or none."""
    generator = np.random.default_rng(7)
    holds, errors, floors = [], [], []
    for _ in range(400):
        chances = np.repeat(generator.beta(4 * mean, 4 * (1 - mean), 300 // visits_each), visits_each)
        drawn = np.repeat(generator.random(300 // visits_each), visits_each)
        people = np.repeat(np.arange(300 // visits_each), visits_each)
        (row,) = days_of(chances, (drawn < chances).astype(float), people)
        holds.append(row["difference_low"] <= 0 <= row["difference_high"])
        errors.append(row["calibration_error"])
        floors.append(row["calibration_error_floor"])
    assert 0.92 <= np.mean(holds) <= 0.995
    if visits_each == 1:
        assert np.mean(floors) == pytest.approx(np.mean(errors), rel=0.15)


def test_chances_that_are_too_high_lie_outside_the_interval():
    generator = np.random.default_rng(8)
    chances = generator.uniform(0.1, 0.9, 400)
    (row,) = days_of(chances, (generator.random(400) < chances / 2).astype(float))
    assert row["difference_high"] < 0
    assert row["calibration_error"] > 3 * row["calibration_error_floor"]


def test_days_of_earlier_runs_stay_and_are_replaced_by_what_is_clear_now(site):
    actions, model = site
    assert merge_intent_days(None, []).num_rows == 0
    whole = judge(actions, model)
    part = judge(actions.filter(pa.array(np.asarray(actions["session_key"]) < VISITS - 150)), model)
    merged = merge_intent_days(part, [whole])
    assert sorted(merged.to_pylist(), key=str) == sorted(whole.to_pylist(), key=str)
    older = pa.Table.from_pylist(
        [row | {"read_until": dt.datetime(2026, 1, 1)} for row in whole.to_pylist()], schema=whole.schema
    )
    assert merge_intent_days(older, [whole]).num_rows == 2 * whole.num_rows
    held, held_before = (
        table.set_column(2, "is_held_out", pa.array([True] * len(table))) for table in (whole, older)
    )
    assert set(merge_intent_days(held_before, [held])["read_until"].to_pylist()) == {model.read_until}
    late = pa.Table.from_pylist([whole.to_pylist()[0] | {"date": dt.date(2028, 1, 1)}], schema=whole.schema)
    assert merge_intent_days(whole, [late])["date"].to_pylist() == [dt.date(2028, 1, 1)]
