"""Credits of touches against enumeration, by hand, and against another library."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.sequences.attribution.credits import METHODS, credit_touches
from ml.sequences.attribution.journeys import MICROSECONDS, OTHER_TOUCH, Journeys, build_journeys
from ml.sequences.attribution.table import NO_TOUCH, PATH_ATTRIBUTION, attribute
from ml.sequences.paths.chains import MarkovChain
from tests.ml.sequences.paths.slow_chain import Path, conversion_by_matrix
from tests.ml.sequences.paths.test_chains import of_states, paths_of

JOURNEYS = [
    *(("social mail paid", 0), ("search", 1), ("search paid mail search", 0), ("paid social", 1)),
    *(("mail search", 1), ("search search mail mail", 0), ("social", 0), ("social paid social", 1)),
    *(("search mail social mail", 0), ("paid", 1), ("paid mail", 0), ("mail mail search paid", 1)),
]
STEPS, CONVERSIONS = [tuple(journey.split()) for journey, _ in JOURNEYS], [float(done) for _, done in JOURNEYS]
VISITS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.floats(0, 100, allow_nan=False),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0, 0, 0, 1, 2]),
    ),
    max_size=30,
)


def credit(steps: list[Path], conversions: list[float], order: int = 1) -> dict[str, dict[str, float]]:
    paths = paths_of(steps, [number > 0 for number in conversions])
    chain = MarkovChain.fit(paths, order, smooths=False)
    shares = credit_touches(chain, paths, np.array(conversions), 0, 0).shares
    return {method: of_states(paths, values) for method, values in shares.items()}


def shapley_by_enumeration(steps: list[Path], conversions: list[float]) -> dict[str, float]:
    """The mean, over all orders in which the touches may come, of what each adds to those before it."""
    touches = sorted({touch for path in steps for touch in path})

    def worth(team: set[str]) -> float:
        return sum(number for path, number in zip(steps, conversions, strict=True) if set(path) <= team)

    values = dict.fromkeys(touches, 0.0)
    for order in permutations(touches):
        for place, touch in enumerate(order):
            before = set(order[:place])
            values[touch] += (worth(before | {touch}) - worth(before)) / factorial(len(touches))
    return {touch: value / sum(conversions) for touch, value in values.items()}


def test_markov_agrees_with_do_attribution():
    # do-attribution 0.0.2, MarkovAttribution(order=1, removal_strategy="redirect_to_null")
    expected = {"mail": 0.181662771914, "paid": 0.284562663697, "search": 0.282586534088, "social": 0.251188030301}
    assert credit(STEPS, CONVERSIONS)["markov"] == pytest.approx(expected, abs=1e-11)


def test_shares_by_place_are_those_worked_out_by_hand():
    # One conversion of a-b-c-b, three of a alone.
    shares = credit([("a", "b", "c", "b"), ("a",), ("c",)], [1.0, 3.0, 0.0])
    assert shares["first"] == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert shares["last"] == {"a": 0.75, "b": 0.25, "c": 0.0}
    assert shares["linear"] == pytest.approx({"a": (3 + 1 / 4) / 4, "b": (1 / 2) / 4, "c": (1 / 4) / 4})
    assert shares["position"] == pytest.approx({"a": (3 + 0.4) / 4, "b": (0.4 + 0.1) / 4, "c": 0.1 / 4})
    assert shares["shapley"] == pytest.approx({"a": (3 + 1 / 3) / 4, "b": (1 / 3) / 4, "c": (1 / 3) / 4})


@settings(max_examples=50, deadline=None)
@given(
    journeys=st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(tuple), st.sampled_from([0.0, 1.0, 3.0])
        ),
        min_size=1,
        max_size=15,
    ),
    order=st.integers(1, 3),
)
def test_markov_and_shapley_are_what_enumeration_gives(journeys, order):
    steps, conversions = map(list, zip(*journeys, strict=True))
    shares = credit(steps, conversions, order)
    if not sum(conversions):
        assert all(value == 0 for values in shares.values() for value in values.values())
        return
    assert shares["shapley"] == pytest.approx(shapley_by_enumeration(steps, conversions))
    converted = [number > 0 for number in conversions]
    whole = conversion_by_matrix(steps, converted, order)
    lost = {
        touch: whole - conversion_by_matrix(steps, converted, order, without=touch) for touch in shares["markov"]
    }
    total = sum(lost.values())
    assert shares["markov"] == pytest.approx({touch: value / total for touch, value in lost.items()})


def journeys_of(visits: list[tuple[int, float, str | None, float]], lookback_days: float = 30) -> Journeys:
    """Visits as (person, day, touch, conversions); each conversion has a revenue of 10."""
    visits = sorted(visits, key=lambda visit: (visit[0], visit[1]))
    people, days, touches, conversions = zip(*visits, strict=True) if visits else ((), (), (), ())
    numbers = np.array(conversions, dtype=float)
    started_at = np.array([round(day * MICROSECONDS) for day in days], dtype=np.int64)
    return build_journeys(
        np.array(people, dtype=np.int64), started_at, touches, numbers, numbers * 10, lookback_days
    )


def listed(journeys: Journeys) -> list[tuple[Path, float]]:
    paths = journeys.paths
    steps = [
        tuple(paths.states[code] for code in paths.codes[start:end])
        for start, end in zip(paths.offsets[:-1], paths.offsets[1:], strict=True)
    ]
    return list(zip(steps, journeys.conversions.tolist(), strict=True))


def test_a_person_has_a_journey_for_each_conversion_and_one_for_what_comes_after():
    visits = [(0, 1, "a", 0), (0, 2, "b", 1), (0, 3, "c", 2), (0, 4, "a", 0), (1, 1, "b", 0)]
    assert listed(journeys_of(visits)) == [(("a", "b"), 1), (("c",), 2), (("a",), 0), (("b",), 0)]


def test_a_visit_long_before_a_conversion_has_no_part_in_it():
    visits = [(0, 0, "a", 0), (0, 20, "b", 0), (0, 40, "c", 1), (0, 80, "a", 0), (0, 120, "b", 0)]
    assert listed(journeys_of(visits)) == [(("a",), 0), (("b", "c"), 1), (("a",), 0), (("b",), 0)]


def test_a_visit_without_a_touch_counts_with_the_others_of_its_journey():
    journeys = journeys_of([(0, 1, "a", 0), (0, 2, None, 1), (1, 1, None, 2), (2, 1, None, 0)])
    assert listed(journeys) == [(("a",), 1)]
    assert (journeys.untouched_conversions, journeys.untouched_revenue) == (2, 20)


@settings(max_examples=60, deadline=None)
@given(visits=VISITS, minimum=st.integers(1, 3))
def test_credited_conversions_and_revenue_add_up_to_all_of_them(visits, minimum):
    total = sum(visit[3] for visit in visits)
    table = attribute("channel", journeys_of(visits), 2, minimum, resamples=2, seed=0)
    assert table.schema == PATH_ATTRIBUTION
    for method in METHODS:
        rows = [row for row in table.to_pylist() if row["method"] == method]
        assert sum(row["conversions"] for row in rows) == pytest.approx(total, abs=1e-9)
        assert sum(row["revenue"] for row in rows) == pytest.approx(10 * total, abs=1e-9)
        if total:
            assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_touches_of_few_people_are_one_touch_of_enough_people():
    visits = [(person, 1, "big", 0) for person in range(6)] + [(person, 2, "mid", 1) for person in range(4)]
    visits += [(0, 3, "rare", 1), (9, 1, None, 1)]
    table = attribute("channel", journeys_of(visits), 1, minimum_people=3, resamples=0, seed=0)
    rows = {row["touch"]: row for row in table.to_pylist() if row["method"] == "last"}
    # One person came by `rare`: the next smallest touch joins it, so that the row is of four people.
    assert {touch: (row["conversions"], row["people"]) for touch, row in rows.items()} == {
        "big": (0.0, 6),
        OTHER_TOUCH: (5.0, 4),
        NO_TOUCH: (1.0, None),
    }


def test_the_interval_of_a_share_holds_it_and_is_repeatable():
    random = np.random.default_rng(0)
    visits = [
        (int(person), float(day), "ab"[int(random.random() < 0.3)], int(random.random() < 0.2))
        for person in range(150)
        for day in range(3)
    ]
    tables = [attribute("channel", journeys_of(visits), 1, 5, resamples=100, seed=1) for _ in range(2)]
    assert tables[0].equals(tables[1])
    for row in tables[0].to_pylist():
        assert row["share_low"] < row["share"] < row["share_high"]
        assert row["share_high"] - row["share_low"] < 0.35


def test_without_conversions_there_is_nothing_to_credit():
    table = attribute("channel", journeys_of([(0, 1, "a", 0)]), 2, 1, resamples=0, seed=0)
    assert table.num_rows == 0
    assert isinstance(table, pa.Table)
