import numpy as np
import pytest

from ml.experiments.analysis.estimates import EffectEstimate
from ml.experiments.analysis.heterogeneity import shrink_effects


def effect(value, error, control=1.0):
    return EffectEstimate(control, control + value, 0.0, error**2, 100, 100)


def test_similar_groups_are_shrunk_to_their_mean():
    heterogeneity = shrink_effects(
        [("a", effect(0.10, 0.05)), ("b", effect(0.12, 0.05)), ("c", effect(0.11, 0.1))]
    )
    assert heterogeneity.tau == 0.0
    assert heterogeneity.p_value > 0.5
    # Weights 400, 400, 100.
    mean = (400 * 0.10 + 400 * 0.12 + 100 * 0.11) / 900
    assert [group.shrunk for group in heterogeneity.groups] == pytest.approx([mean] * 3)
    assert [group.shrunk_error for group in heterogeneity.groups] == pytest.approx([1 / 30] * 3)


def test_precise_groups_that_differ_stay_where_they_are():
    heterogeneity = shrink_effects([("a", effect(0.5, 0.01)), ("b", effect(-0.5, 0.01))])
    assert heterogeneity.p_value < 1e-10
    assert [group.shrunk for group in heterogeneity.groups] == pytest.approx([0.5, -0.5], abs=0.001)


def test_shrunk_effects_are_nearer_to_the_truth():
    rng = np.random.default_rng(5)
    measured_error = shrunk_error = 0.0
    for _ in range(100):
        truth = rng.normal(0.05, 0.03, 8)
        heterogeneity = shrink_effects([(str(i), effect(rng.normal(t, 0.05), 0.05)) for i, t in enumerate(truth)])
        measured_error += sum((g.effect - t) ** 2 for g, t in zip(heterogeneity.groups, truth, strict=True))
        shrunk_error += sum((g.shrunk - t) ** 2 for g, t in zip(heterogeneity.groups, truth, strict=True))
    assert shrunk_error < 0.5 * measured_error


def test_groups_without_an_error_are_left_out():
    heterogeneity = shrink_effects(
        [("a", effect(0.1, 0.05)), ("b", effect(0.0, 0.0)), ("c", effect(0.1, 0.1, control=0.0))]
    )
    assert [group.group for group in heterogeneity.groups] == ["a"]
    assert np.isnan(heterogeneity.p_value)
    assert shrink_effects([]).groups == ()
