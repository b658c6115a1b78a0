import math

import numpy as np
import pyarrow as pa
import pytest

from ml.sequences.actions import find_signals
from ml.sequences.intent.examples import build_examples
from ml.sequences.intent.running_visit import FEATURES, RunningVisit
from tests.ml.sequences.intent.site_of_visits import START, draw_visits, table_of

BEGIN = START.timestamp()


def feature(running: RunningVisit, *names: str) -> list[float]:
    values = running.describe(("click:plan",), lambda item: item == "shoe")
    columns = (*FEATURES, "click:plan")
    return [float(values[columns.index(name)]) for name in names]


@pytest.fixture
def second_visit() -> RunningVisit:
    """Two pages and a click in a visit that follows one with a purchase, three hours before."""
    running = RunningVisit()
    running.fold("page_view", BEGIN - 10_800, item="shoe", device="mobile")
    running.fold("purchase", BEGIN - 10_800)
    running = running.begin_next()
    running.fold("page_view", BEGIN, item="shoe", device="desktop")
    running.fold("scroll", BEGIN + 20, value=60.0)
    running.fold("page_view", BEGIN + 30, item="article")
    running.fold("scroll", BEGIN + 35, value=40.0)
    running.fold("click", BEGIN + 37, "plan")
    return running


def test_a_running_visit_counts_what_it_did(second_visit):
    names = ("events", "views", "items", "products", "is_on_product", "click:plan", "events_on_page")
    assert feature(second_visit, *names) == [5, 2, 2, 1, 0, 1, 2]


def test_a_running_visit_knows_its_times(second_visit):
    names = (
        "seconds",
        "seconds_since_previous",
        "seconds_on_page",
        "dwell_before",
        "scroll_on_page",
        "scroll_most",
    )
    assert feature(second_visit, *names) == [37, 2, 7, 30, 40, 60]
    assert math.isnan(feature(second_visit, "dwell_ratio")[0])


def test_the_dwell_of_a_page_is_compared_with_the_mean_of_those_before():
    running = RunningVisit()
    for second in (0, 20, 60, 75):  # dwells of 20, 40 and 15 seconds
        running.fold("page_view", BEGIN + second)
    assert feature(running, "dwell_before", "dwell_ratio") == [15, 0.5]


def test_a_running_visit_knows_what_the_person_did_before(second_visit):
    assert feature(second_visit, "earlier_visits", "earlier_purchase", "days_since_visit") == [1, 1, 0.125]
    assert feature(second_visit, "is_desktop", "is_mobile", "hour", "weekday") == [1, 0, 0, 6]


def test_names_that_a_browser_makes_up_do_not_fill_the_memory():
    running = RunningVisit()
    for number in range(1000):
        running.fold("click", BEGIN + number, f"{number}" + 10_000 * "x")
    assert len(running.counts) == 100
    assert max(map(len, running.counts)) <= len("click:") + 100
    running.fold("click", BEGIN + 2000, "0" + 10_000 * "x")
    assert max(running.counts.values()) == 2


def test_the_labels_are_what_comes_after():
    day = 86_400
    rows = [
        *((1, "ann", second, "page_view", None, "a", None) for second in (0, 10)),
        (1, "ann", 20, "purchase", None, None, 1.0),
        (1, "ann", 30, "scroll", None, None, 1.0),
        *((2, "ann", 3 * day + second, "page_view", None, "a", None) for second in (0, 10, 20, 30)),
        *((3, "bob", second, "scroll", None, "a", 1.0) for second in range(40)),
        (4, "eve", 20 * day, "page_view", None, "a", None),
    ]
    examples = build_examples(table_of(rows), ("scroll",), lambda item: True, "purchase")
    after_three = {
        person: labels
        for person, labels, length in zip(examples.people, examples.labels.tolist(), examples.lengths, strict=True)
        if length == 3
    }
    # ann has bought already, sees no other page, and comes back; then sees one more page and stays away
    first, second = (
        labels
        for labels, person, length in zip(examples.labels, examples.people, examples.lengths, strict=True)
        if (person, length) == (0, 3)
    )
    assert np.isnan(first[0])
    assert first[1:].tolist() == [1, 1]
    assert second.tolist() == [0, 0, 0]
    assert after_three[1] == [0, 1, 0]  # bob only scrolls


def test_whether_somebody_returns_is_unknown_in_the_last_week():
    rows = [(number, "ann", number * 86_400, "page_view", None, "a", None) for number in range(10)]
    rows += [
        (number, "ann", number * 86_400 + second, "scroll", None, "a", 1.0)
        for number in range(10)
        for second in (1, 2)
    ]
    examples = build_examples(table_of(sorted(rows, key=lambda row: row[2])), (), lambda item: True, "purchase")
    returns = examples.labels[examples.lengths == 3, 2]
    assert returns[:2].tolist() == [1, 1]
    assert np.isnan(returns[3:]).all()


def test_features_are_the_same_whatever_follows():
    actions, _ = draw_visits(200, 1)
    keys = np.asarray(actions["session_key"])
    alone = actions.filter(pa.array(keys < 100))  # one visit a person, of twelve actions: no later visit loses any
    place = np.arange(alone.num_rows) % 12
    whole = build_examples(alone, ("click:plan",), lambda item: True, "purchase")
    cut = build_examples(alone.filter(pa.array(place < 5)), ("click:plan",), lambda item: True, "purchase")
    np.testing.assert_array_equal(whole.features[whole.lengths <= 5], cut.features)


def test_signals_are_those_of_enough_people():
    rows = [(n, f"u{n}", n, "click", "plan" if n < 5 else "price", None, None) for n in range(9)]
    assert find_signals(table_of(rows), 5) == ("click:plan",)
    assert find_signals(table_of(rows), 4) == ("click:plan", "click:price")
