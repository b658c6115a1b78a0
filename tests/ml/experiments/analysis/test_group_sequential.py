import numpy as np
import pytest

from ml.experiments.analysis.group_sequential import critical_values, spent_alpha

FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        # Two-sided .05, five even looks, as in the tables of Lan and DeMets' program (Reboussin et al. 2000).
        ("obrien_fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_critical_values_equal_the_published_ones(spending, published):
    assert critical_values(FIFTHS, 0.05, spending) == pytest.approx(published, abs=2e-4)


def test_a_single_look_is_the_ordinary_test():
    assert critical_values([1.0], 0.05, "pocock") == pytest.approx([1.959964], abs=1e-5)


@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock"])
def test_all_alpha_is_spent_at_the_end(spending):
    assert spent_alpha(1.0, 0.05, spending) == pytest.approx(0.05)
    assert spent_alpha(0.0, 0.05, spending) == 0.0


def test_uneven_looks_keep_the_level_in_simulation():
    shares = [0.15, 0.5, 0.55, 1.0]
    critical = np.array(critical_values(shares, 0.05, "pocock"))
    steps = np.random.default_rng(1).normal(size=(200_000, 4)) * np.sqrt(np.diff([0.0, *shares]))
    z = steps.cumsum(axis=1) / np.sqrt(shares)
    assert np.mean((np.abs(z) >= critical).any(axis=1)) == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.5, 0.4], [0.0, 1.0], [0.5, 1.2]])
def test_shares_that_do_not_increase_within_0_and_1_are_refused(shares):
    with pytest.raises(ValueError, match="must increase within"):
        critical_values(shares, 0.05, "pocock")


def test_an_unknown_spending_function_names_the_legal_ones():
    with pytest.raises(ValueError, match="legal: obrien_fleming, pocock"):
        critical_values([1.0], 0.05, "linear")
