"""The signals of a table of actions are those that the service names one by one."""

import pyarrow as pa
import pytest

from ml.sequences.actions import find_signals, name_signals
from ml.sequences.intent.running_visit import LONGEST_ELEMENT, name_signal

LONG = "é" * (LONGEST_ELEMENT + 20)
CASES = [
    ("click", "plan"), ("click", None), ("click", ""), ("hover", LONG), ("hover", LONG + "b"), ("scroll", "plan"),
    ("custom:zoom", None),
]  # fmt: skip


def table_of(rows):
    kinds, elements, users = zip(*rows, strict=True)
    return pa.table(
        {"event_type": list(kinds), "element": pa.array(elements, pa.string()), "user_id": list(users)}
    )


def test_a_column_of_signals_has_the_names_of_the_running_visit():
    table = table_of([(kind, element, "ann") for kind, element in CASES])
    assert name_signals(table).to_pylist() == [name_signal(kind, element) for kind, element in CASES]


def test_long_elements_of_one_beginning_are_one_signal_and_each_person_counts_once():
    table = table_of([("hover", LONG + ending, user) for user in ("ann", "ben") for ending in ("a", "b")])
    assert find_signals(table, 2) == (f"hover:{LONG[:LONGEST_ELEMENT]}",)
    assert find_signals(table, 3) == ()


@pytest.mark.parametrize("kind", ["click", "hover"])
def test_no_action_has_no_signal(kind):
    assert find_signals(table_of([(kind, "plan", "ann")]).slice(1), 1) == ()
