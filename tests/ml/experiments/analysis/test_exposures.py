from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.analysis.exposures import UNSEGMENTED, resolve_units


def table(rows, start):
    """Rows of (unit, person, variant, day, segment)."""
    unit, person, variant, day, segment = zip(*rows, strict=True)
    times = [start + timedelta(days=d) for d in day]
    return pa.table(
        {
            "unit_id": unit,
            "user_id": person,
            "variant": variant,
            "first_exposed_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "segment": pa.array(segment, pa.string()),
        }
    )


ROWS = [
    ("anon-1", "ann", "challenger", 3, "fans"),
    ("anon-2", "ann", "control", 1, "guests"),
    ("anon-3", "bob", "control", 2, None),
    ("bob", "bob", "control", 4, "fans"),
    ("cid", "cid", "challenger", 5, "fans"),
    ("dan", "dan", "beta", 5, "fans"),
    ("eve", "eve", "control", -1, "fans"),
]


def test_a_person_counts_once_by_the_first_variant_seen(define):
    experiments = define()
    experiment = experiments.get("ranker")
    units, counts = resolve_units(table(ROWS, experiment.starts_at), experiment)
    assert units.ids.to_pylist() == ["ann", "bob", "cid"]
    assert [units.variants[code] for code in units.variant] == ["control", "control", "challenger"]
    assert [units.segments[code] for code in units.segment] == ["guests", UNSEGMENTED, "fans"]
    assert units.cohort_day(experiment.starts_at).tolist() == [1, 2, 5]
    assert units.observed_days(experiment.starts_at + timedelta(days=8, hours=1)).tolist() == [7, 6, 3]
    assert (counts.rows, counts.units, counts.mixed_units, counts.excluded_units) == (7, 3, 1, 0)
    assert (counts.unknown_variant_rows, counts.outside_period_rows) == (1, 1)
    assert counts.mixed_share == pytest.approx(1 / 3)


def test_mixed_persons_can_be_left_out(define):
    experiment = define(mixed_units="exclude").get("ranker")
    units, counts = resolve_units(table(ROWS, experiment.starts_at), experiment)
    assert units.ids.to_pylist() == ["bob", "cid"]
    assert (counts.units, counts.mixed_units, counts.excluded_units) == (2, 1, 1)
    assert counts.mixed_share == pytest.approx(1 / 3)


def test_overridden_units_are_left_out(define):
    experiment = define(overrides={"cid": "control", "ann": "control"}).get("ranker")
    units, counts = resolve_units(table(ROWS, experiment.starts_at), experiment)
    assert units.ids.to_pylist() == ["ann", "bob"]
    assert counts.override_rows == 1


def test_units_have_the_ramp_step_of_their_exposure(define):
    start = define().get("ranker").starts_at
    steps = tuple({"from": start + timedelta(days=d), "traffic": t} for d, t in ((0, 0.1), (2, 1.0)))
    experiment = define(ramp=steps).get("ranker")
    units, _ = resolve_units(table(ROWS, start), experiment)
    assert units.step.tolist() == [0, 1, 1]


def test_naive_times_of_the_warehouse_are_utc(define):
    experiment = define().get("ranker")
    rows = table(ROWS, experiment.starts_at)
    naive = rows.set_column(3, "first_exposed_at", rows["first_exposed_at"].cast(pa.timestamp("us")))
    left, right = (resolve_units(t, experiment)[0].exposed_at for t in (rows, naive))
    assert np.array_equal(left, right)


def test_no_exposure_gives_no_units(define):
    experiment = define().get("ranker")
    units, counts = resolve_units(table(ROWS, experiment.starts_at).slice(0, 0), experiment)
    assert len(units) == 0
    assert counts.mixed_share == 0.0


def test_a_missing_column_is_named(define):
    experiment = define().get("ranker")
    with pytest.raises(ValueError, match="no column 'user_id'; they have: unit_id, variant"):
        resolve_units(table(ROWS, experiment.starts_at).drop_columns("user_id"), experiment)
