"""Experiments with next to no units: every statement is in words, and no number is undefined."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from math import isfinite

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.analysis.analysis import analyse_experiment
from ml.experiments.analysis.estimates import EffectEstimate
from ml.experiments.analysis.inference import single_look_test
from ml.experiments.report.report import render_report
from ml.experiments.report.summary import summarize_analysis

RULES = ("always_valid", "fixed", "group_sequential")
NUMBERS = ("clicks", "sessions", "page_views", "purchases", "revenue", "engaged_seconds")
EXPOSURES = pa.schema(
    [
        *((name, pa.string()) for name in ("unit_id", "user_id", "variant")),
        ("first_exposed_at", pa.timestamp("us", tz="UTC")),
        ("segment", pa.string()),
    ]
)


def change(columns: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]) -> Callable:
    """A change of outcomes: new values of columns, by the old ones and whether the unit is treated."""

    def apply(outcomes: pa.Table, treated: np.ndarray) -> pa.Table:
        frame = outcomes.to_pandas()
        since = (frame["day"] >= 0).to_numpy()
        for name, value in columns.items():
            old = frame[name].to_numpy()
            frame[name] = np.where(since, value(old, treated), old)
        return pa.Table.from_pandas(frame, preserve_index=False)

    return apply


UNCHANGED = change({})
NOTHING_HAPPENED = change({name: lambda old, _: np.zeros_like(old) for name in NUMBERS})
NO_CONVERSION = change({name: lambda old, _: np.zeros_like(old) for name in ("purchases", "revenue")})
ALL_IN_ONE_ARM = change({name: lambda old, treated: treated.astype(old.dtype) for name in ("purchases", "clicks")})
EVERYBODY_ALIKE = change({name: lambda old, _: np.ones_like(old) for name in NUMBERS})
NO_DENOMINATOR = change({"sessions": lambda old, _: np.zeros_like(old)})
SITES = {
    "nobody": (0, 0.5, UNCHANGED),
    "one": (1, 0.5, UNCHANGED),
    "three": (3, 0.5, UNCHANGED),
    "eight": (8, 0.5, UNCHANGED),
    "one arm alone": (60, 1.0, UNCHANGED),
    "the control alone": (60, 0.0, UNCHANGED),
    "nothing happened": (60, 0.5, NOTHING_HAPPENED),
    "no conversion": (60, 0.5, NO_CONVERSION),
    "all in one arm": (60, 0.5, ALL_IN_ONE_ARM),
    "everybody alike": (60, 0.5, EVERYBODY_ALIKE),
    "no denominator": (60, 0.5, NO_DENOMINATOR),
}


@pytest.fixture(scope="module", params=[(site, rule) for site in SITES for rule in RULES], ids="-".join)
def analysis(request, define, simulate, settings):
    name, rule = request.param
    units, split, alter = SITES[name]
    site = simulate(units, split=split)
    variant = dict(zip(site.exposures["unit_id"].to_pylist(), site.exposures["variant"].to_pylist(), strict=True))
    treated = np.array(
        [variant[user] == "challenger" for user in site.outcomes["user_id"].to_pylist()], dtype=bool
    )
    definitions = define(
        secondary_metrics=("conversion", "page_views_per_session", "retention_next_week", "revenue_per_user"),
        decision={
            "planned_units": 8000,
            "inference": rule,
            **({"looks": 4} if rule == "group_sequential" else {}),
        },
    )
    end = definitions.get("ranker").ends_at + timedelta(days=15)
    exposures = site.exposures.cast(EXPOSURES)  # of nobody, numpy makes numbers
    return analyse_experiment(definitions, "ranker", exposures, alter(site.outcomes, treated), end, settings)


def test_a_row_has_an_interval_and_a_p_value_or_says_in_words_why_not(analysis):
    for row in summarize_analysis(analysis).to_pylist():
        bounds = [row["absolute_low"], row["absolute_high"], row["relative_low"], row["relative_high"]]
        if row["missing"] is None:
            assert None not in bounds[:2], row
            assert bounds[2:] != [None, None], row
            assert 0 <= row["corrected_p"] <= 1, row
        else:
            assert re.match("[a-z]", row["missing"], re.IGNORECASE), row
        assert all(isfinite(value) for value in row.values() if isinstance(value, float)), row


def test_the_page_shows_no_undefined_number(analysis):
    page = re.sub(r"<style.*?</style>", " ", render_report(analysis, 0.001), flags=re.DOTALL)
    text = re.sub(r"<!--(.*?)-->|<[^>]+>", r" \1 ", page, flags=re.DOTALL)  # plots keep their text as comments
    assert not re.search(r"\b(nan|inf|none)\b", text, re.IGNORECASE), re.findall(
        r".{40}\b(?:nan|inf|None)\b.{40}", text
    )


def test_a_handful_of_units_is_never_shipped(analysis):
    arms = [(result.estimate.control_units, result.estimate.treatment_units) for result in analysis.results]
    assert min(map(min, arms)) >= 5 or analysis.decision.verdict != "ship"


@pytest.mark.parametrize("units", [2, 5, 10, 20])
def test_few_units_find_hardly_more_effects_than_the_level_allows(units):
    """With two units an arm, the normal distribution would find an effect in a fifth of the tests."""
    generator = np.random.default_rng(units)
    arms = generator.normal(size=(4_000, 2, units))
    means, variances = arms.mean(axis=2), arms.var(axis=2, ddof=1) / units
    p_values = [
        single_look_test(EffectEstimate(*mean, *variance, units, units)).p_value
        for mean, variance in zip(means.tolist(), variances.tolist(), strict=True)
    ]
    assert np.mean(np.array(p_values) < 0.05) < 0.08


def test_a_metric_without_a_denominator_says_so(define, simulate, settings):
    site = simulate(60)
    outcomes = NO_DENOMINATOR(site.outcomes, np.ones(site.outcomes.num_rows, dtype=bool))
    end = define().get("ranker").ends_at + timedelta(days=15)
    analysis = analyse_experiment(define(), "ranker", site.exposures, outcomes, end, settings)
    assert analysis.result("page_views_per_session", "challenger").missing == "no sessions in an arm"
