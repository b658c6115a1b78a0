from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency

from ml.experiments.definition.assignment import REASONS, assign_unit, assign_units
from ml.experiments.definition.definition import ExperimentDefinitions, UnknownExperimentError

START = datetime(2026, 9, 1, tzinfo=UTC)
IDS = pa.array([f"user-{i}" for i in range(20_000)])


def experiment(**changes):
    return {
        "hypothesis": "It brings more clicks",
        "unit": "user",
        "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5, "payload": {"model": "challenger"}}},
        "primary_metric": "clicks",
        "minimum_detectable_effect": 0.05,
        "starts_at": START,
        "ends_at": START + timedelta(days=30),
        **changes,
    }


def build(*, entries=None, **file):
    entries = entries or {"one": experiment()}
    return ExperimentDefinitions.model_validate(
        {**file, "experiments": {key: {**body, "id": key} for key, body in entries.items()}}
    )


def variants(definitions, at=START, key="one", context=None, ids=IDS):
    return assign_units(definitions, key, ids, context, at)


def test_a_column_and_single_units_get_the_same_answers_for_20_000_ids():
    definitions = build(
        entries={
            "one": experiment(
                targeting='country == "DE" && sessions > 2.0',
                layer="page",
                layer_range=(0.1, 0.9),
                ramp=({"from": START, "traffic": 0.7},),
                overrides={"user-3": "treatment", "user-4": "control"},
            )
        },
        layers={"page": {}},
        global_control={"share": 0.05},
        holdouts={"autumn": {"share": 0.1, "starts_at": START, "ends_at": START + timedelta(days=60)}},
    )
    ids = pa.array([f"user-{i}" for i in range(20_000)])
    rng = np.random.default_rng(0)
    country = rng.choice(["DE", "AT", None], 20_000).tolist()
    sessions = rng.integers(0, 9, 20_000).astype(float)
    assignments = variants(definitions, context=pa.table({"country": country, "sessions": sessions}), ids=ids)
    contexts = [{"country": c, "sessions": s} for c, s in zip(country, sessions.tolist(), strict=True)]
    singles = [
        assign_unit(definitions, "one", unit, context, START)
        for unit, context in zip(ids.to_pylist(), contexts, strict=True)
    ]
    assert assignments.variant_column().to_pylist() == [single.variant for single in singles]
    assert assignments.reason_column().to_pylist() == [single.reason for single in singles]
    assert set(assignments.reason_column().to_pylist()) == set(REASONS) - {"not_running"}


def test_shares_are_met():
    shares = np.bincount(variants(build()).variants) / len(IDS)
    assert shares == pytest.approx([0.5, 0.5], abs=0.015)


def test_a_growing_ramp_only_adds_units():
    steps = tuple(
        {"from": START + timedelta(days=day), "traffic": share} for day, share in ((0, 0.1), (3, 0.5), (6, 1))
    )
    definitions = build(entries={"one": experiment(ramp=steps)})
    before = None
    for day, share in ((0, 0.1), (3, 0.5), (6, 1.0)):
        now = variants(definitions, START + timedelta(days=day)).variants
        assert np.mean(now >= 0) == pytest.approx(share, abs=0.015)
        if before is not None:
            assert np.array_equal(now[before >= 0], before[before >= 0])
        before = now


def test_treatments_that_grow_keep_their_units():
    shares = {"control": 0.8, "a": 0.1, "b": 0.1}
    steps = (
        {"from": START, "traffic": 1.0},
        {"from": START + timedelta(days=5), "traffic": 1.0, "shares": {"control": 0.4, "a": 0.4, "b": 0.2}},
    )
    body = experiment(variants={name: {"share": share} for name, share in shares.items()}, ramp=steps)
    definitions = build(entries={"one": body})
    before, after = variants(definitions), variants(definitions, START + timedelta(days=5))
    for code, share in ((1, 0.4), (2, 0.2)):
        assert (after.variants[before.variants == code] == code).all()
        assert np.mean(after.variants == code) == pytest.approx(share, abs=0.015)


def test_experiments_of_the_same_layer_exclude_each_other():
    bodies = {
        "one": experiment(layer="page", layer_range=(0.0, 0.5)),
        "two": experiment(layer="page", layer_range=(0.5, 1.0)),
    }
    definitions = build(entries=bodies, layers={"page": {}})
    inside = [variants(definitions, key=key).variants >= 0 for key in ("one", "two")]
    assert not (inside[0] & inside[1]).any()
    assert (inside[0] | inside[1]).all()


def test_experiments_of_two_layers_are_independent():
    bodies = {"one": experiment(layer="page"), "two": experiment(layer="mail")}
    definitions = build(entries=bodies, layers={"page": {}, "mail": {}})
    left, right = (variants(definitions, key=key).variants for key in ("one", "two"))
    assert chi2_contingency(np.bincount(left * 2 + right, minlength=4).reshape(2, 2)).pvalue > 0.001


def test_a_holdout_covers_its_layers_for_its_time():
    holdout = {"share": 0.2, "starts_at": START, "ends_at": START + timedelta(days=10), "layers": ["page"]}
    bodies = {"one": experiment(layer="page"), "two": experiment()}
    definitions = build(entries=bodies, layers={"page": {}}, holdouts={"autumn": holdout})
    held = variants(definitions).reasons == REASONS.index("holdout")
    assert held.mean() == pytest.approx(0.2, abs=0.015)
    assert not (variants(definitions, key="two").reasons == REASONS.index("holdout")).any()
    assert not (variants(definitions, START + timedelta(days=10)).reasons == REASONS.index("holdout")).any()


def test_the_global_control_is_the_same_in_every_experiment():
    definitions = build(entries={"one": experiment(), "two": experiment()}, global_control={"share": 0.1})
    out = [variants(definitions, key=key).reasons == REASONS.index("global_control") for key in ("one", "two")]
    assert np.array_equal(*out)
    assert out[0].mean() == pytest.approx(0.1, abs=0.01)


def test_an_override_wins_over_everything_even_before_the_start():
    definitions = build(
        entries={"one": experiment(overrides={"tester": "treatment"}, targeting='country == "DE"')}
    )
    answer = assign_unit(definitions, "one", "tester", {}, START - timedelta(days=1))
    assert (answer.variant, answer.reason, answer.payload) == ("treatment", "override", {"model": "challenger"})


@pytest.mark.parametrize("at", [START - timedelta(seconds=1), START + timedelta(days=30)])
def test_outside_its_time_nobody_takes_part(at):
    assert assign_unit(build(), "one", "user-1", {}, at).reason == "not_running"
    assert (variants(build(), at).variants == -1).all()


def test_a_field_missing_from_the_context_matches_no_targeting():
    definitions = build(entries={"one": experiment(targeting='country == "DE"')})
    assert assign_unit(definitions, "one", "user-1", {}, START).reason == "not_targeted"
    assignments = variants(definitions, context=pa.table({"device_type": ["mobile"] * len(IDS)}))
    assert set(assignments.reason_column().to_pylist()) == {"not_targeted"}


def test_targeting_without_a_context_is_an_error():
    with pytest.raises(ValueError, match="needs a context table"):
        variants(build(entries={"one": experiment(targeting='country == "DE"')}))


def test_an_empty_id_is_refused():
    with pytest.raises(ValueError, match="empty user id"):
        assign_unit(build(), "one", "", {}, START)
    with pytest.raises(ValueError, match="empty user id"):
        variants(build(), ids=pa.array(["a", ""]))


def test_an_unknown_experiment_names_the_existing_ones():
    with pytest.raises(UnknownExperimentError, match="unknown experiment 'two'; legal: one"):
        assign_unit(build(), "two", "user-1", {}, START)
