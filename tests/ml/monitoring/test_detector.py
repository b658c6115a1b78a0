"""The detector on streams whose truth is known: it rarely cries wolf, finds changes, and no single day alarms."""

import numpy as np
import pytest

from ml.monitoring.detector import detect
from ml.monitoring.expectation import Expectation
from ml.monitoring.series import Series, Subject
from ml.settings.operation import MonitoringSettings

SETTINGS = MonitoringSettings()
DAYS = 40


def expectation(series, usual, dispersion=1.0):
    """The expectation of one share all the time."""
    ones = np.ones(series.counts.shape)
    return Expectation(usual * ones, dispersion * ones, ones, series.trials, series.trials)


def stream(subject, shares, trials, seed):
    """A series of one period a day with these chances, and the expectation that the first one stays."""
    rng = np.random.default_rng(seed)
    counts = rng.binomial(trials, shares)[:, None].astype(float)
    sizes = np.full(counts.shape, float(trials))
    series = Series(subject, "m", "everything", "", counts, sizes)
    return series, expectation(series, shares[0])


@pytest.mark.parametrize(
    ("subject", "tolerated"),
    [(Subject.TASTE, 4 / 1.5**0.5), (Subject.QUALITY, 4 * 1.5**0.25), (Subject.FIELD, 0.8 / 0.075)],
)
def test_a_threshold_is_exceeded_on_days_of_tolerated_shares_no_more_often_than_it_promises(subject, tolerated):
    highest = []
    for seed in range(400):
        series, _ = stream(subject, np.full(DAYS, 0.8), 30, seed)
        usual = expectation(series, tolerated / (1 + tolerated))  # of the odds from which .8 is just tolerated
        highest.append(detect(series, usual, SETTINGS, 9.0).log_evidence.max())
    exceeded = [np.mean(np.array(highest) >= np.log(threshold)) for threshold in (10, 100, 400)]
    assert exceeded[0] > 0.1
    assert exceeded[1] <= DAYS / 100
    assert exceeded[2] <= DAYS / 400


def test_evidence_that_is_looked_at_after_every_hour_is_the_same_as_that_of_the_day():
    rng = np.random.default_rng(1)
    hourly = rng.binomial(10, 0.5, (5, 24)).astype(float)
    whole = Series(Subject.TASTE, "m", "everything", "", hourly, np.full(hourly.shape, 10.0))
    daily = Series(Subject.TASTE, "m", "everything", "", hourly.sum(axis=1, keepdims=True), np.full((5, 1), 240.0))
    by_hour, by_day = (detect(series, expectation(series, 0.4), SETTINGS, 9.0) for series in (whole, daily))
    assert by_hour.log_evidence[:, -1] == pytest.approx(by_day.log_evidence[:, -1])


def test_a_change_is_found_and_its_first_day_is_named():
    shares = np.where(np.arange(DAYS) < 25, 0.3, 0.5)
    evidence = detect(*stream(Subject.TASTE, shares, 200, 3), SETTINGS, 9.0)
    found = int(np.argmax(evidence.log_evidence[:, 0] >= 9.0))
    assert found in (26, 27)
    assert evidence.onset[found, 0] in (23, 24, 25)


def test_no_day_alone_is_an_alarm_but_where_a_field_is_lost():
    shares = np.where(np.arange(DAYS) == 25, 0.02, 0.9)
    lost = detect(*stream(Subject.FIELD, shares, 500, 3), SETTINGS, 9.0).log_evidence
    odd = detect(*stream(Subject.TASTE, shares, 500, 3), SETTINGS, 9.0).log_evidence
    assert lost[25, 0] > 9.0
    assert odd.max() < 9.0


def test_shares_that_wander_within_what_is_tolerated_are_no_evidence_however_long():
    rng = np.random.default_rng(4)
    wander = 1 / (1 + np.exp(1.0 - np.clip(np.cumsum(rng.normal(0, 0.05, 400)), -0.2, 0.2)))
    series, _ = stream(Subject.TASTE, wander, 2_000, 5)
    usual = 1 / (1 + np.exp(1.0))
    steady = expectation(series, usual)
    assert np.abs(wander - usual).max() > 0.03
    assert detect(series, steady, SETTINGS, 9.0).log_evidence.max() < 3.0


def test_a_loss_that_begins_at_noon_is_found_from_its_own_hours_and_dated_to_one():
    rng = np.random.default_rng(6)
    trials = np.full((30, 24), 20.0)
    counts = rng.binomial(20, 0.9, (30, 24)).astype(float)
    counts[25, 12:] = 0
    series = Series(Subject.FIELD, "m", "browser", "Edge", counts, trials)
    evidence = detect(series, expectation(series, 0.9, dispersion=2.0), SETTINGS, 9.0)
    assert evidence.log_evidence[25, 11] < 5.0
    assert evidence.log_evidence[25, 12] > 9.0
    assert evidence.onset[25, 12] == pytest.approx(25.5)


def test_dispersed_counts_say_less():
    shares = np.where(np.arange(DAYS) < 25, 0.5, 0.3)
    series, usual = stream(Subject.QUALITY, shares, 100, 3)
    dispersed = expectation(series, 0.5, dispersion=4.0)
    plain, tempered = (detect(series, one, SETTINGS, 9.0).log_evidence for one in (usual, dispersed))
    assert tempered[30, 0] < plain[30, 0] / 2


def test_what_begins_with_a_likely_cause_is_found_sooner():
    hours = np.full((DAYS, 24), 4.0)
    counts = 0.6 * hours
    counts[30, 9:] = counts[31:] = 0.3 * 4
    is_cause = np.zeros(hours.shape, dtype=bool)
    is_cause[30, 9] = True

    def first_hour(likely_onsets):
        series = Series(Subject.QUALITY, "m", "everything", "", counts, hours, likely_onsets=likely_onsets)
        log_evidence = detect(series, expectation(series, 0.6), SETTINGS, 8.0).log_evidence.ravel()
        return int(np.flatnonzero(log_evidence > 8)[0]) - 30 * 24

    assert 9 < first_hour(is_cause) < first_hour(None)


def test_more_clicks_than_usual_are_no_harm():
    series, usual = stream(Subject.QUALITY, np.where(np.arange(DAYS) < 20, 0.3, 0.5), 500, 1)
    assert detect(series, usual, SETTINGS, 8.0).log_evidence.max() < 0
