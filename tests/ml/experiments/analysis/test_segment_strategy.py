from datetime import timedelta

import pytest

from ml.experiments.analysis.segment_strategy import compare_strategy


def compare(define, simulate, settings, lifts, segments=("fans",), **changes):
    site = simulate(15_000, seed=6, lifts=lifts)
    definitions = define(decision={"planned_units": 15_000}, **changes)
    end = definitions.get("ranker").ends_at + timedelta(days=14)
    return compare_strategy(definitions, "ranker", segments, site.exposures, site.outcomes, end, settings)


@pytest.mark.parametrize(
    ("lifts", "verdict"),
    [
        ({"fans": 0.5, "regulars": -0.4, "guests": -0.4}, "target"),
        ({"fans": 0.4, "regulars": 0.5, "guests": 0.5}, "treat everybody"),
        ({"fans": -0.4, "regulars": 0.0, "guests": 0.0}, "treat nobody"),
        ({"fans": 0.0, "regulars": 0.0, "guests": 0.0}, "not decided"),
    ],
)
def test_the_better_policy_is_chosen(define, simulate, settings, lifts, verdict):
    assert compare(define, simulate, settings, lifts).verdict == verdict


def test_the_two_gains_add_up_to_the_effect_of_treating_everybody(define, simulate, settings):
    strategy = compare(define, simulate, settings, {"fans": 0.3, "regulars": 0.2, "guests": 0.0})
    inside = strategy.share * strategy.inside.absolute.value
    outside = (1 - strategy.share) * strategy.outside.absolute.value
    assert strategy.share == pytest.approx(0.2, abs=0.02)
    assert strategy.against_nobody.absolute.value == pytest.approx(inside)
    assert strategy.against_everybody.absolute.value == pytest.approx(-outside)


def test_an_unknown_segment_names_the_existing_ones(define, simulate, settings):
    with pytest.raises(ValueError, match="no unit is in vips; legal: fans, guests, regulars"):
        compare(define, simulate, settings, {}, segments=("vips",))


def test_a_ratio_is_refused(define, simulate, settings):
    with pytest.raises(ValueError, match="is a ratio; a strategy needs a mean"):
        compare(define, simulate, settings, {}, primary_metric="page_views_per_session")
