"""Rankers and contents are compared by the log of answers."""

import json

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.rankers.answer_log import NothingLoggedError, compare_rankers, evaluate_contents
from ml.experiments.rankers.interleaving import interleave_team_draft

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()), ("slot", pa.string()), ("items", pa.string()), ("propensities", pa.string()),
        ("teams", pa.string()), ("rules", pa.string()), ("clicks", pa.int64()),
        ("clicked_items", pa.list_(pa.string())),
    ]
)  # fmt: skip


def answer(user, items, *, teams=None, propensities=(), clicked=(), slot="hero", rule=None):
    return {
        "rules": json.dumps({"content": rule}) if rule else None,
        "user_id": user,
        "slot": slot,
        "items": json.dumps(items),
        "propensities": json.dumps(list(propensities)),
        "teams": json.dumps(teams) if teams else None,
        "clicks": len(clicked),
        "clicked_items": list(clicked) or None,
    }


def table(*rows):
    return pa.Table.from_pylist(list(rows), SCHEMA)


def test_clicks_go_to_the_team_whose_pick_was_clicked():
    teams = ["champion", "challenger", "champion"]
    preference = compare_rankers(
        table(
            answer("ann", ["a", "b", "c"], teams=teams, clicked=["b"]),
            answer("bob", ["a", "b", "c"], teams=teams, clicked=["a", "c", "b"]),
            answer("carl", ["a", "b", "c"], teams=teams, clicked=["elsewhere"]),
            answer("dora", ["a"]),
        )
    )
    assert (preference.wins_b, preference.wins_a, preference.ties, preference.value) == (1, 1, 1, 0.0)


def test_the_ranker_that_people_like_better_wins_through_the_log():
    rng = np.random.default_rng(1)
    good, bad = [f"g{i}" for i in range(5)], [f"b{i}" for i in range(5)]
    rows = []
    for user in range(400):
        drafted = interleave_team_draft(bad, good, 4, rng)
        clicked = [item for item in drafted.items if rng.random() < (0.3 if item[0] == "g" else 0.1)]
        teams = ["challenger" if team else "champion" for team in drafted.teams]
        rows.append(answer(f"u{user}", list(drafted.items), teams=teams, clicked=clicked))
    preference = compare_rankers(table(*rows))
    assert preference.low > 0
    assert preference.sign_p < 0.001


def test_estimates_hold_what_each_content_truly_earns():
    rng = np.random.default_rng(2)
    truth, chances = {"a": 0.1, "b": 0.2}, {"a": 0.8, "b": 0.2}
    rows = []
    for user in range(6000):
        name = "a" if rng.random() < chances["a"] else "b"
        clicked = ["x"] if rng.random() < truth[name] else []
        rows.append(answer(f"u{user}", [name], propensities=[chances[name]], clicked=clicked))
    rows.append(answer("fixed", ["a"], propensities=[1.0], clicked=["x"]))
    contents = evaluate_contents(table(*rows), "hero")
    assert [(entry.content, len(entry.estimates)) for entry in contents] == [("a", 3), ("b", 3)]
    assert sum(entry.shown for entry in contents) == 6000
    for entry in contents:
        assert all(value.low <= truth[entry.content] <= value.high for value in entry.estimates)


def test_a_content_is_judged_on_the_decisions_in_which_it_could_be_drawn():
    # Every second visitor is on a phone, and only there may "app" be shown. It earns a click in one of two.
    rows = []
    for user in range(400):
        if user % 2:
            rows.append(answer(f"u{user}", ["a" if user % 4 == 1 else "b"], propensities=[0.5], rule="anybody"))
        else:
            name, clicked = ("app", ["x"] if user % 8 == 0 else []) if user % 4 == 0 else ("a", [])
            rows.append(answer(f"u{user}", [name], propensities=[0.5], clicked=clicked, rule="phones"))
    contents = {entry.content: entry for entry in evaluate_contents(table(*rows), "hero")}
    assert [(contents[name].shown, contents[name].eligible) for name in ("app", "a", "b")] == [
        (100, 200), (200, 400), (100, 200),
    ]  # fmt: skip
    assert [estimate.value for estimate in contents["app"].estimates] == pytest.approx([0.5] * 3, abs=0.02)
    assert contents["app"].estimates[0].mean_weight == pytest.approx(1.0)


def test_an_empty_log_says_what_is_missing():
    rows = table(answer("ann", ["a"], propensities=[1.0]))
    with pytest.raises(NothingLoggedError, match="interleaved_share"):
        compare_rankers(rows)
    with pytest.raises(NothingLoggedError, match="'hero' drew no content"):
        evaluate_contents(rows, "hero")
