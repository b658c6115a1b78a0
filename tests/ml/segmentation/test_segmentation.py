"""Learn, assign, save, load and retrain a segmentation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from ml.segmentation import Segmentation, fit_segmentation, load_segmentation
from ml.segmentation.output import table_settings
from ml.segmentation.profiles.descriptions import ShapingUsers, describe_segments
from ml.segmentation.profiles.report import write_report
from ml.settings import load_settings
from ml.settings.segmentation import EvidenceSettings, RoleSettings, SegmentationSettings

if TYPE_CHECKING:
    from conftest import Planted


@pytest.fixture(scope="module")
def fitted(planted: Planted, quick: SegmentationSettings) -> tuple[Segmentation, pa.Table, np.ndarray]:
    table, truth = planted()
    return fit_segmentation(table, quick, seed=3), table, truth


def agreement(truth: np.ndarray, assignments: pa.Table) -> float:
    return float(adjusted_rand_score(truth, assignments["segment"].to_numpy()))


def test_planted_segments_are_recovered_numbered_by_size_and_named_apart(
    fitted: tuple[Segmentation, pa.Table, np.ndarray],
) -> None:
    segmentation, table, truth = fitted
    assignments = segmentation.assign(table)
    assert agreement(truth, assignments) > 0.97
    assert segmentation.ids == [1, 2, 3, 4]
    assert [profile.size for profile in segmentation.profiles] == sorted(
        (p.size for p in segmentation.profiles), reverse=True
    )
    assert len(set(segmentation.names)) == 4
    assert assignments.column_names == ["user_id", "segment", "name", *[f"membership_{i}" for i in range(1, 5)]]
    total = sum(assignments[f"membership_{i}"].to_numpy() for i in range(1, 5))
    np.testing.assert_allclose(total, 1.0)


def test_a_single_user_in_the_service_gets_the_segment_of_training(
    fitted: tuple[Segmentation, pa.Table, np.ndarray],
) -> None:
    segmentation, table, _ = fitted
    assignments = segmentation.assign(table).to_pylist()
    for position in (0, 17, 899):
        assignment = segmentation.assign_user(table.slice(position, 1).to_pylist()[0])
        row = assignments[position]
        assert (assignment.segment, assignment.name) == (row["segment"], row["name"])
        for id_, share in assignment.membership.items():
            assert share == pytest.approx(row[f"membership_{id_}"], abs=1e-9)


def test_a_user_without_any_data_gets_a_segment(
    fitted: tuple[Segmentation, pa.Table, np.ndarray],
) -> None:
    assignment = fitted[0].assign_user({"user_id": "stranger", "f0": None, "f1": float("inf")})
    assert assignment.segment in fitted[0].ids
    assert sum(assignment.membership.values()) == pytest.approx(1.0)


def test_saved_and_loaded_is_the_same(fitted: tuple[Segmentation, pa.Table, np.ndarray], tmp_path: Path) -> None:
    segmentation, table, _ = fitted
    segmentation.save(tmp_path / "model")
    loaded = load_segmentation(tmp_path / "model")
    assert loaded.assign(table).equals(segmentation.assign(table))
    nameless = replace(segmentation, profiles=[replace(profile, examples=()) for profile in segmentation.profiles])
    assert loaded.document() == nameless.document()
    assert not any(file.suffix in (".pkl", ".joblib") for file in (tmp_path / "model").iterdir())
    segmentation.save(tmp_path / "model")
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
    segmentation, table, _ = fitted
    newcomers, _ = planted(users=45, seed=99)
    newcomers = newcomers.set_column(0, "user_id", pa.array([f"new{i}" for i in range(45)]))
    again = fit_segmentation(pa.concat_tables([table, newcomers]), quick, previous=segmentation, seed=1234)
    before, after = segmentation.assign(table), again.assign(table)
    same = np.array(before["name"].to_pylist()) == np.array(after["name"].to_pylist())
    assert same.mean() > 0.95
    assert again.ids == segmentation.ids
    assert min(again.overlaps) > 0.9
    assert [p.shares_before for p in again.profiles] == [(p.share,) for p in segmentation.profiles]


def test_other_features_than_before_start_new_numbers(
    fitted: tuple[Segmentation, pa.Table, np.ndarray], quick: SegmentationSettings
) -> None:
    segmentation, table, _ = fitted
    again = fit_segmentation(
        table.rename_columns(["user_id", *[f"g{j}" for j in range(8)]]), quick, previous=segmentation
    )
    assert again.ids == [5, 6, 7, 8]


def test_noise_puts_all_users_into_a_single_segment(quick: SegmentationSettings) -> None:
    X = np.random.default_rng(0).normal(size=(800, 6))
    table = pa.table({"user_id": range(800), **{f"f{j}": X[:, j] for j in range(6)}})
    segmentation = fit_segmentation(table, quick)
    assert not segmentation.has_structure
    assert segmentation.names == ["Everyone"]
    assert segmentation.assign(table)["segment"].to_pylist() == [1] * 800
    assert segmentation.assign_user({"f0": 1.0}).membership == {1: 1.0}


@pytest.mark.parametrize(("rows", "minimum"), [(60, 10), (200, 10), (300, 15), (400, 20), (5_000, 20)])
def test_small_tables_have_smaller_segments_unless_the_settings_state_the_least(rows: int, minimum: int) -> None:
    default = load_settings().segmentation
    assert table_settings(default, rows).minimum_segment_size == minimum
    stated = SegmentationSettings(minimum_segment_size=20)
    assert table_settings(stated, rows).minimum_segment_size == 20


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
    segmentation = fit_segmentation(everybody, settings)
    assert segmentation.preparation["users"] == 1500
    assert segmentation.preparation["shaping_users"] == 900
    assert len(segmentation.ids) == 4
    assert agreement(truth, segmentation.assign(table.append_column("views", pa.array([50] * 900)))) > 0.97
    assert sum(profile.size for profile in segmentation.profiles) == 1500


@pytest.mark.parametrize("viewers", [0, 100])
def test_customers_of_whom_only_orders_are_known_get_the_segments_of_their_orders(
    planted: Planted, quick: SegmentationSettings, viewers: int
) -> None:
    table, truth = planted()
    views = np.zeros(table.num_rows)
    views[:viewers] = 2.0  # a tracker on few pages; nobody reaches the least value
    customers = table.append_column("page_views", pa.array(views))
    settings = quick.model_copy(
        update={
            "evidence": EvidenceSettings(column="page_views", minimum=10),
            "roles": RoleSettings(features=["f*"], otherwise=[], outcomes=[]),
        }
    )
    segmentation = fit_segmentation(customers, settings, seed=3)
    assigned = segmentation.assign(customers)
    assert agreement(truth, assigned) > 0.97
    alone = segmentation.assign_user(customers.slice(viewers, 1).to_pylist()[0])
    assert alone.segment == assigned["segment"][viewers].as_py()


def test_nothing_is_published_about_a_segment_below_the_minimum_size(
    planted: Planted, quick: SegmentationSettings, fitted: tuple[Segmentation, pa.Table, np.ndarray]
) -> None:
    """Segments below the minimum size keep their numbers and get no profile."""
    segmentation, table, truth = fitted
    largest = max(profile.size for profile in segmentation.profiles)
    settings = quick.model_copy(update={"minimum_segment_size": largest})
    names = [f"f{j}" for j in range(8)]
    shaping = ShapingUsers(np.column_stack([table[name] for name in names]), names, truth)
    describe_segments(segmentation := replace(segmentation, names=[""] * 4), table, shaping, settings, None)
    assert [profile.size for profile in segmentation.profiles] == [largest]
    assert sorted(name.startswith("Small segment") for name in segmentation.names) == [False, True, True, True]
    assert [segment["size"] for segment in segmentation.document()["segments"]] == [largest]


def test_dirty_columns_are_dropped_filled_and_named(planted: Planted, quick: SegmentationSettings) -> None:
    table, truth = planted()
    generator = np.random.default_rng(1)
    f0 = table["f0"].to_numpy().copy()
    f0[:50] = np.inf
    f0[50:60] = -np.inf
    table = table.set_column(1, "f0", pa.array(f0))
    table = table.append_column("constant", pa.array([7] * 900))
    table = table.append_column("empty", pa.array([None] * 900, pa.float64()))
    table = table.append_column("duplicate", pa.array(3 * table["f1"].to_numpy() + 1))
    table = table.append_column("dice", pa.array(generator.normal(size=900)))
    segmentation = fit_segmentation(table, quick)
    reasons = dict(segmentation.preparation["dropped"])
    assert reasons["constant"] == "every value is 7"
    assert reasons["empty"] == "every value is missing"
    assert "redundant with" in (reasons.get("duplicate") or reasons["f1"])
    assert reasons["dice"].startswith("not associated with anything")
    assert segmentation.preparation["missing_values"] == {"f0": 60}
    assert agreement(truth, segmentation.assign(table)) > 0.9


@pytest.mark.parametrize(
    ("rows", "reason"), [(0, "varies between the 0 users"), (1, "varies"), (2, "too few"), (30, "too few")]
)
def test_few_users_form_a_single_segment(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path, rows: int, reason: str
) -> None:
    table = planted()[0].slice(0, rows)
    segmentation = fit_segmentation(table, quick)
    assert segmentation.names == ["Everyone"]
    assert reason in segmentation.reason
    segmentation.save(tmp_path / "model")
    loaded = load_segmentation(tmp_path / "model")
    assert loaded.assign(table)["membership_1"].to_pylist() == [1.0] * rows
    assert loaded.assign_user({"f0": 3.0}).segment == 1
    write_report(tmp_path / "report.html", loaded, table, quick)
    assert segmentation.reason[1:] in (tmp_path / "report.html").read_text()  # it begins a sentence there


def test_duplicates_of_a_user_are_refused(quick: SegmentationSettings) -> None:
    with pytest.raises(ValueError, match="3 rows repeat a user"):
        fit_segmentation(pa.table({"user_id": ["a"] * 4, "f": [1.0, 2.0, 3.0, 4.0]}), quick)


def test_identical_users_form_a_single_segment_and_later_segments_get_new_numbers(
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
    segmentation = fit_segmentation(table, quick)
    assert len(segmentation.ids) == 2
    assert agreement(kind, segmentation.assign(table)) == 1.0


def test_a_log_of_invoices_is_segmented_by_how_often_and_how_much(
    planted: Planted, quick: SegmentationSettings
) -> None:
    table, truth = planted()
    table = table.append_column("hover_rate", pa.nulls(900, pa.float64()))
    roles = RoleSettings(features=["*_rate"], otherwise=["f*"], outcomes=[])
    segmentation = fit_segmentation(table, quick.model_copy(update={"roles": roles}))
    assert agreement(truth, segmentation.assign(table)) > 0.97
