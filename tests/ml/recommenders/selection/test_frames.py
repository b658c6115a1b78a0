"""What stands in a frame, and that a split by frames lets nothing of the future into the past."""

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.evaluation.splits import EmptySplitError, NothingLikedError
from ml.recommenders.data_split import DataSplit
from ml.recommenders.selection.compare import Configuration, compare
from ml.recommenders.selection.frames import TrainingFrames, split_between, split_moment
from ml.recommenders.selection.training import FrameSplits
from ml.recommenders.training_data import TrainingData
from ml.settings import load_settings

SETTINGS = load_settings()
KNOBS = SETTINGS.recommenders.model_copy(update={"user_columns": ["class"], "item_columns": ["tags", "category"]})
MARCH = dt.datetime(2026, 3, 1)
INTERACTIONS = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("strength", pa.float64()),
        ("last_at", pa.timestamp("us")),
        ("is_negative", pa.bool_()),
    ]
)
ITEMS = pa.schema([("item_id", pa.string()), ("category", pa.string()), ("tags", pa.list_(pa.string()))])


def day(number: int) -> dt.datetime:
    return MARCH + dt.timedelta(days=number)


def interactions(*rows: tuple[str, str, float, int]) -> pa.Table:
    """User, item, strength and day of the last event."""
    return pa.Table.from_pylist(
        [
            dict(zip(INTERACTIONS.names, (user, item, strength, day(number), strength < 0), strict=True))
            for user, item, strength, number in rows
        ],
        INTERACTIONS,
    )


def users(**classes: str) -> pa.Table:
    return pa.table({"user_id": list(classes), "class": list(classes.values())})


def items(**described: tuple[str, list[str]]) -> pa.Table:
    rows = [{"item_id": item, "category": category, "tags": tags} for item, (category, tags) in described.items()]
    return pa.Table.from_pylist(rows, ITEMS)


THEN = TrainingFrames(
    as_of=day(10),
    interactions=interactions(
        ("ann", "x", 2.0, 1), ("ann", "y", -1.0, 2), ("bob", "x", 1.0, 9), ("cid", "y", 1.0, 8),
        ("gone", "x", 1.0, 7),
    ),
    users=users(ann="new", bob="old", cid="old", gone="old"),
    items=items(x=("shoes", ["a"]), y=("hats", ["b"])),
    new_items=items(z=("hats", ["c"])),
)  # fmt: skip
# Since then: ann came back to x, bob and cid took z, dan appeared, gone withdrew her consent.
LATER = TrainingFrames(
    as_of=day(20),
    interactions=interactions(
        ("ann", "x", 9.0, 12), ("ann", "y", -1.0, 2), ("bob", "x", 1.0, 9), ("bob", "z", 1.0, 15),
        ("cid", "y", 0.5, 8), ("cid", "z", 1.0, 16), ("dan", "y", 3.0, 17),
    ),
    users=users(ann="takes x", bob="takes z", cid="takes z", dan="takes y"),
    items=items(x=("bestsellers", ["a"]), y=("hats", ["b"]), z=("hats", ["c", "bestseller"])),
    new_items=items(),
)  # fmt: skip


def pairs(found: Interactions) -> dict[tuple[str, str], float]:
    return {(row["user_id"], row["item_id"]): row["weight"] for row in found.to_table().to_pylist()}


def features_by_id(matrix: Any) -> dict[str, set[str]]:
    names = matrix.names.to_list()
    rows = zip(matrix.ids.to_list(), matrix.matrix, strict=True)
    return {row_id: {names[column] for column in row.indices} for row_id, row in rows}


def test_training_data_holds_only_what_was_known_at_its_moment() -> None:
    split = split_between(THEN, LATER, KNOBS)
    # ann's x went on afterwards and is held back whole; gone's consent was withdrawn.
    assert pairs(split.train.interactions) == {("ann", "y"): -1.0, ("bob", "x"): 1.0, ("cid", "y"): 1.0}
    assert pairs(split.test) == {("ann", "x"): 9.0, ("bob", "z"): 1.0, ("cid", "z"): 1.0, ("dan", "y"): 3.0}
    assert features_by_id(split.train.user_features) == {
        "ann": {"class:new"},
        "bob": {"class:old"},
        "cid": {"class:old"},
    }
    assert features_by_id(split.train.item_features) == {
        "x": {"category:shoes", "tags:a"}, "y": {"category:hats", "tags:b"}, "z": {"category:hats", "tags:c"},
    }  # fmt: skip


def test_the_data_of_now_is_all_that_consenting_people_did() -> None:
    data = LATER.training_data(KNOBS)
    assert pairs(data.interactions)["ann", "x"] == 9.0
    assert features_by_id(data.user_features)["dan"] == {"class:takes y"}
    with pytest.raises(InvalidInputError, match="no user consents to personalization"):
        LATER.of_users(pa.chunked_array([["nobody"]])).training_data(KNOBS)


def test_a_column_that_says_the_same_of_all_is_no_feature() -> None:
    same = replace(LATER, users=users(ann="new", bob="new", cid="new", dan="new"))
    assert len(same.training_data(KNOBS).user_features.names) == 0


def test_the_moment_of_a_split_leaves_the_share_after_it() -> None:
    rows = [(f"u{number}", "x", 1.0, number) for number in range(10)]
    frames = replace(LATER, interactions=interactions(*rows))
    assert split_moment(frames, 0.3) == day(6)  # days 7, 8 and 9 come after it
    assert split_moment(frames, 0.99) == day(0)
    of_one_day = replace(LATER, interactions=interactions(("ann", "x", 1.0, 3), ("bob", "x", 1.0, 3)))
    with pytest.raises(EmptySplitError, match=r"all interactions \(2\) are of one moment"):
        split_moment(of_one_day, 0.1)


def test_a_split_without_a_past_or_a_future_is_refused() -> None:
    with pytest.raises(EmptySplitError, match="and 0 interactions to test on"):
        split_between(replace(THEN, as_of=day(30)), LATER, KNOBS)
    nobody = THEN.of_users(pa.chunked_array([["gone"]]))
    with pytest.raises(EmptySplitError, match="leaves 0 interactions of 0 users to train on"):
        split_between(nobody, LATER, KNOBS)


N_GROUPS, N_ITEMS = 3, 30  # of items; a person takes mostly those of one group


def takings(days: range, n_items: int, seed: int) -> pa.Table:
    """What 90 people took: two thirds of it from their own group of items."""
    random = np.random.default_rng(seed)
    rows = {}
    for user in range(90):
        for number in range(n_items):
            group = user % N_GROUPS if number % 3 else int(random.integers(N_GROUPS))
            item = int(random.integers(N_ITEMS // N_GROUPS)) * N_GROUPS + group
            rows[f"u{user:02}", f"i{item}"] = (1.0, int(random.choice(days)))
    return interactions(*((*pair, *facts) for pair, facts in sorted(rows.items())))


def history_with_a_leak() -> dict[dt.datetime | None, TrainingFrames]:
    """Frames by moment. From day 20 on, classes and tags name the groups; before, they say nothing."""
    then, after = takings(range(1, 20), 3, seed=1), takings(range(21, 30), 2, seed=2)
    noise = users(**{f"u{user:02}": ("even", "odd")[user // 2 % 2] for user in range(90)})
    groups = users(**{f"u{user:02}": f"takes {user % N_GROUPS}" for user in range(90)})
    plain = items(**{f"i{item}": ("things", [f"t{item // 4}"]) for item in range(N_ITEMS)})
    tagged = items(**{f"i{item}": ("things", [f"taken by {item % N_GROUPS}"]) for item in range(N_ITEMS)})
    return {
        day(20): TrainingFrames(day(20), then, noise, plain, items()),
        None: TrainingFrames(None, pa.concat_tables([then, after]), groups, tagged, items()),
    }


def figures(split: DataSplit) -> dict[str, dict[str, float]]:
    """Metrics of a model that goes by classes and of one that goes by tags."""
    plan = [Configuration("segment_popularity", {"smoothing": 1.0}), Configuration("content_affinity", {})]
    return {found.configuration.model: dict(found.measured.metrics) for found in compare(plan, split, 10)}


def test_a_class_and_a_tag_that_tell_the_future_move_no_figure() -> None:
    history = history_with_a_leak()
    then, now = history[day(20)], history[None]
    measured = figures(split_between(then, now, KNOBS))
    without_leak = replace(now, users=then.users, items=then.items)
    assert measured == figures(split_between(then, without_leak, KNOBS))

    # A past that knew the classes and tags of now would look far better than it is.
    split, data = split_between(then, now, KNOBS), now.training_data(KNOBS)
    past = TrainingData.align(split.train.interactions, data.user_features, data.item_features)
    leaking = figures(replace(split, train=past))
    for model in measured:
        assert leaking[model]["ndcg"] > 1.5 * measured[model]["ndcg"]


def test_the_test_is_split_at_one_moment_and_the_validation_at_an_earlier_one() -> None:
    read: list[dt.datetime | None] = []
    now = history_with_a_leak()[None]

    def read_frames(moment: dt.datetime | None) -> TrainingFrames:
        read.append(moment)
        if moment is None:
            return now
        earlier = pa.compute.less_equal(now.interactions["last_at"], moment)
        return replace(now, as_of=moment, interactions=now.interactions.filter(earlier))

    splits = FrameSplits(read_frames, SETTINGS.evaluation, KNOBS)
    newest = splits.test_split.train.interactions.timestamps.max()
    assert (
        splits.validation_split.train.interactions.timestamps.max()
        < newest
        < splits.test_split.test.timestamps.min()
    )
    assert splits.validation_split.test.timestamps.max() == newest
    assert len(read) == 3  # each of the moments once
    assert splits.test_split.warnings == ()


@pytest.mark.parametrize("kind", ["time", "random"])
def test_rejections_alone_are_nothing_to_judge_by(kind: str) -> None:
    now = history_with_a_leak()[None]
    column = now.interactions.schema.get_field_index("is_negative")
    rejected = now.interactions.set_column(column, "is_negative", pa.array([True] * len(now.interactions)))

    def read_frames(moment: dt.datetime | None) -> TrainingFrames:
        if moment is None:
            return replace(now, interactions=rejected)
        earlier = pa.compute.less_equal(now.interactions["last_at"], moment)
        return replace(now, as_of=moment, interactions=now.interactions.filter(earlier))

    evaluation = SETTINGS.evaluation.model_copy(update={"split": kind})
    with pytest.raises(NothingLikedError, match=r"all \d+ interactions that are held back to judge by are reject"):
        _ = FrameSplits(read_frames, evaluation, KNOBS).test_split


def test_a_split_without_a_moment_says_that_it_knows_the_present() -> None:
    evaluation = SETTINGS.evaluation.model_copy(update={"split": "random"})
    splits = FrameSplits(lambda moment: history_with_a_leak()[moment], evaluation, KNOBS)
    assert splits.then is splits.now
    assert (
        "the split 'random' has no moment: features and segments are as they are now"
        in splits.test_split.warnings[-1]
    )
    assert splits.validation_split.train.interactions.n_pairs < splits.test_split.train.interactions.n_pairs
