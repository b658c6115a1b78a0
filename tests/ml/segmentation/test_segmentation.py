"""The whole of it: learn, assign, save, load, come back a week later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from ml.segmentation import Segmentation, fit_segmentation, load_segmentation
from ml.segmentation.profiles.descriptions import ShapingUsers, describe_segments
from ml.segmentation.profiles.report import write_report
from ml.settings.segmentation import EvidenceSettings, RoleSettings, SegmentationSettings

if TYPE_CHECKING:
    from conftest import Planted


@pytest.fixture(scope="module")
def fitted(planted: Planted, quick: SegmentationSettings) -> tuple[Segmentation, pa.Table, np.ndarray]:
    table, truth = planted()
    return fit_segmentation(table, quick, seed=3), table, truth


def agreement(truth: np.ndarray, assigned: pa.Table) -> float:
    return float(adjusted_rand_score(truth, assigned["segment"].to_numpy()))


def test_planted_segments_are_found_numbered_by_size_and_named_apart(
    fitted: tuple[Segmentation, pa.Table, np.ndarray],
) -> None:
    found, table, truth = fitted
    assigned = found.assign(table)
    assert agreement(truth, assigned) > 0.97
    assert found.ids == [1, 2, 3, 4]
    assert [profile.size for profile in found.profiles] == sorted((p.size for p in found.profiles), reverse=True)
    assert len(set(found.names)) == 4
    assert assigned.column_names == ["user_id", "segment", "name", *[f"membership_{i}" for i in range(1, 5)]]
    total = sum(assigned[f"membership_{i}"].to_numpy() for i in range(1, 5))
    np.testing.assert_allclose(total, 1.0)


def test_one_user_in_the_service_gets_what_training_gave(
    fitted: tuple[Segmentation, pa.Table, np.ndarray],
) -> None:
    found, table, _ = fitted
    assigned = found.assign(table).to_pylist()
    for position in (0, 17, 899):
        one = found.assign_one(table.slice(position, 1).to_pylist()[0])
        row = assigned[position]
        assert (one.segment, one.name) == (row["segment"], row["name"])
        for id_, share in one.membership.items():
            assert share == pytest.approx(row[f"membership_{id_}"], abs=1e-9)


def test_a_user_of_whom_nothing_is_known_gets_a_segment_all_the_same(
    fitted: tuple[Segmentation, pa.Table, np.ndarray],
) -> None:
    one = fitted[0].assign_one({"user_id": "stranger", "f0": None, "f1": float("inf")})
    assert one.segment in fitted[0].ids
    assert sum(one.membership.values()) == pytest.approx(1.0)


def test_saved_and_loaded_is_the_same(fitted: tuple[Segmentation, pa.Table, np.ndarray], tmp_path: Path) -> None:
    found, table, _ = fitted
    found.save(tmp_path / "model")
    loaded = load_segmentation(tmp_path / "model")
    assert loaded.assign(table).equals(found.assign(table))
    nameless = replace(found, profiles=[replace(profile, examples=()) for profile in found.profiles])
    assert loaded.document() == nameless.document()
    assert not any(file.suffix in (".pkl", ".joblib") for file in (tmp_path / "model").iterdir())
    found.save(tmp_path / "model")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model"]


def test_the_same_seed_gives_the_same_segments(planted: Planted, quick: SegmentationSettings) -> None:
    table, _ = planted()
    assert (
        fit_segmentation(table, quick, seed=3)
        .assign(table)
        .equals(fit_segmentation(table, quick, seed=3).assign(table))
    )


def test_users_keep_their_named_segment_with_another_seed_and_new_users(
    fitted: tuple[Segmentation, pa.Table, np.ndarray], planted: Planted, quick: SegmentationSettings
) -> None:
    found, table, _ = fitted
    newcomers, _ = planted(users=45, seed=99)
    newcomers = newcomers.set_column(0, "user_id", pa.array([f"new{i}" for i in range(45)]))
    again = fit_segmentation(pa.concat_tables([table, newcomers]), quick, previous=found, seed=1234)
    before, after = found.assign(table), again.assign(table)
    same = np.array(before["name"].to_pylist()) == np.array(after["name"].to_pylist())
    assert same.mean() > 0.95
    assert again.ids == found.ids
    assert min(again.overlaps) > 0.9
    assert [p.shares_before for p in again.profiles] == [(p.share,) for p in found.profiles]


def test_other_features_than_last_time_start_new_numbers(
    fitted: tuple[Segmentation, pa.Table, np.ndarray], quick: SegmentationSettings
) -> None:
    found, table, _ = fitted
    again = fit_segmentation(
        table.rename_columns(["user_id", *[f"g{j}" for j in range(8)]]), quick, previous=found
    )
    assert again.ids == [5, 6, 7, 8]


def test_noise_puts_everybody_into_one_segment(quick: SegmentationSettings) -> None:
    X = np.random.default_rng(0).normal(size=(800, 6))
    table = pa.table({"user_id": range(800), **{f"f{j}": X[:, j] for j in range(6)}})
    found = fit_segmentation(table, quick)
    assert not found.has_structure
    assert found.names == ["Everyone"]
    assert found.assign(table)["segment"].to_pylist() == [1] * 800
    assert found.assign_one({"f0": 1.0}).membership == {1: 1.0}


def test_users_with_little_evidence_belong_but_do_not_shape(planted: Planted, quick: SegmentationSettings) -> None:
    table, truth = planted()
    generator = np.random.default_rng(5)
    passers_by = pa.table(
        {
            "user_id": [f"p{i}" for i in range(600)],
            **{f"f{j}": generator.normal(scale=9, size=600) for j in range(8)},
        }
    )
    everybody = pa.concat_tables([table, passers_by])
    everybody = everybody.append_column("views", pa.array([50] * 900 + [1] * 600))
    settings = quick.model_copy(
        update={
            "evidence": EvidenceSettings(column="views", minimum=10),
            "roles": RoleSettings(features=["f*"], otherwise=[], outcomes=["views"]),
        }
    )
    found = fit_segmentation(everybody, settings)
    assert found.preparation["users"] == 1500
    assert found.preparation["shaping_users"] == 900
    assert len(found.ids) == 4
    assert agreement(truth, found.assign(table.append_column("views", pa.array([50] * 900)))) > 0.97
    assert sum(profile.size for profile in found.profiles) == 1500


def test_nothing_is_published_about_a_segment_below_the_minimum_size(
    planted: Planted, quick: SegmentationSettings, fitted: tuple[Segmentation, pa.Table, np.ndarray]
) -> None:
    """The segments keep their numbers while one of them shrinks below the minimum, and one was never large."""
    found, table, truth = fitted
    largest = max(profile.size for profile in found.profiles)
    settings = quick.model_copy(update={"minimum_segment_size": largest})
    shaping = ShapingUsers(table, found.scores(table), ["x", "y", "z"], truth)
    describe_segments(found := replace(found, names=[""] * 4), table, shaping, settings, None)
    assert [profile.size for profile in found.profiles] == [largest]
    assert sorted(name.startswith("Small segment") for name in found.names) == [False, True, True, True]
    assert [segment["size"] for segment in found.document()["segments"]] == [largest]


def test_dirty_columns_are_dropped_filled_and_named(planted: Planted, quick: SegmentationSettings) -> None:
    table, truth = planted()
    generator = np.random.default_rng(1)
    f0 = table["f0"].to_numpy().copy()
    f0[:50] = np.inf
    f0[50:60] = -np.inf
    table = table.set_column(1, "f0", pa.array(f0))
    table = table.append_column("constant", pa.array([7] * 900))
    table = table.append_column("empty", pa.array([None] * 900, pa.float64()))
    table = table.append_column("twin", pa.array(3 * table["f1"].to_numpy() + 1))
    table = table.append_column("dice", pa.array(generator.normal(size=900)))
    found = fit_segmentation(table, quick)
    reasons = dict(found.preparation["dropped"])
    assert reasons["constant"] == "every value is 7"
    assert reasons["empty"] == "every value is missing"
    assert "tells the same as" in (reasons.get("twin") or reasons["f1"])
    assert reasons["dice"].startswith("goes with nothing")
    assert found.preparation["missing_values"] == {"f0": 60}
    assert agreement(truth, found.assign(table)) > 0.9


@pytest.mark.parametrize(
    ("rows", "said"), [(0, "varies between the 0 users"), (1, "varies"), (2, "too few"), (30, "too few")]
)
def test_few_users_are_one_segment(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path, rows: int, said: str
) -> None:
    table = planted()[0].slice(0, rows)
    found = fit_segmentation(table, quick)
    assert found.names == ["Everyone"]
    assert said in found.reason
    found.save(tmp_path / "model")
    loaded = load_segmentation(tmp_path / "model")
    assert loaded.assign(table)["membership_1"].to_pylist() == [1.0] * rows
    assert loaded.assign_one({"f0": 3.0}).segment == 1
    write_report(tmp_path / "report.html", loaded, table, quick)
    assert found.reason in (tmp_path / "report.html").read_text()


def test_duplicates_of_one_user_only_are_refused(quick: SegmentationSettings) -> None:
    with pytest.raises(ValueError, match="3 rows are second rows of a user"):
        fit_segmentation(pa.table({"user_id": ["a"] * 4, "f": [1.0, 2.0, 3.0, 4.0]}), quick)


def test_identical_users_do_not_differ_and_later_ones_get_numbers_of_their_own(
    planted: Planted, quick: SegmentationSettings
) -> None:
    table, _ = planted(segments=2)
    alike = pa.table({"user_id": range(50), **{f"f{j}": [1.0] * 50 for j in range(8)}})
    before = fit_segmentation(alike, quick)
    assert (before.names, before.has_structure) == (["Everyone"], False)
    assert dict(before.preparation["dropped"])["f0"] == "every value is 1"
    again = fit_segmentation(alike, quick, previous=before)
    assert (again.ids, again.next_id) == ([1], 2)
    after = fit_segmentation(table, quick, previous=again)
    assert after.ids == [2, 3]
    assert fit_segmentation(alike, quick, previous=after).ids == [4]


def test_two_features_and_two_kinds_are_enough(quick: SegmentationSettings) -> None:
    generator = np.random.default_rng(0)
    kind = generator.integers(2, size=400)
    table = pa.table(
        {
            "user_id": range(400),
            "a": kind * 8.0 + generator.normal(size=400),
            "b": kind * -8.0 + generator.normal(size=400),
        }
    )
    found = fit_segmentation(table, quick)
    assert len(found.ids) == 2
    assert agreement(kind, found.assign(table)) == 1.0


def test_a_log_of_invoices_is_segmented_by_how_often_and_how_much(
    planted: Planted, quick: SegmentationSettings
) -> None:
    table, truth = planted()
    table = table.append_column("hover_rate", pa.nulls(900, pa.float64()))
    roles = RoleSettings(features=["*_rate"], otherwise=["f*"], outcomes=[])
    found = fit_segmentation(table, quick.model_copy(update={"roles": roles}))
    assert agreement(truth, found.assign(table)) > 0.97
