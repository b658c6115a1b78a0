"""What is usual: rhythms are learned, odd days are not."""

import numpy as np
import pytest

from ml.monitoring.expectation import expect
from ml.monitoring.series import Series, Subject
from ml.settings.operation import MonitoringSettings

SETTINGS = MonitoringSettings()
DAYS = 60
WEEKEND = np.isin(np.arange(DAYS) % 7, (5, 6))


def test_the_share_of_a_weekday_and_an_hour_is_learned():
    night = np.arange(24) < 6
    share = np.where(WEEKEND[:, None], 0.5, 0.3) - np.where(night, 0.1, 0.0)[None, :]
    trials = np.full((DAYS, 24), 1000.0)
    usual = expect(Series(Subject.QUALITY, "m", "everything", "", share * trials, trials), SETTINGS).usual
    assert usual[50:, 12] == pytest.approx(share[50:, 12], abs=0.02)
    assert usual[50:, 2] == pytest.approx(share[50:, 2], abs=0.03)


def test_a_volume_has_its_weekday_and_no_campaign_day():
    daily = np.where(WEEKEND, 400.0, 1000.0)
    daily[[30, 43]] = 9_000
    series = Series(Subject.VOLUME, "page_view", "everything", "", daily[:, None], np.zeros((DAYS, 1)))
    expectation = expect(series, SETTINGS)
    quiet = np.arange(DAYS) >= 45
    assert expectation.usual[quiet, 0] == pytest.approx(np.where(WEEKEND, 400, 1000)[quiet], rel=0.15)


def test_a_day_is_judged_by_the_days_before_the_lag_alone():
    trials = np.full((DAYS, 1), 500.0)
    share = np.where(np.arange(DAYS) < 40, 0.2, 0.6)[:, None]
    usual = expect(Series(Subject.TASTE, "m", "everything", "", share * trials, trials), SETTINGS).usual
    assert usual[: SETTINGS.grace_days + SETTINGS.lag_days] == pytest.approx(np.nan, nan_ok=True)
    assert usual[40 + SETTINGS.lag_days - 1] == pytest.approx(0.2, abs=0.01)
    assert usual[59] > 0.2


def test_people_who_bring_many_events_at_once_show_in_the_dispersion():
    rng = np.random.default_rng(2)
    people = rng.binomial(20, 0.3, (DAYS, 1)).astype(float)
    alone = Series(Subject.TASTE, "m", "everything", "", people, np.full((DAYS, 1), 20.0))
    many = Series(Subject.TASTE, "m", "everything", "", 10 * people, np.full((DAYS, 1), 200.0))
    assert expect(alone, SETTINGS).dispersion[-1] < 2.5
    assert expect(many, SETTINGS).dispersion[-1] == pytest.approx(10, rel=0.6)


def test_a_field_that_is_always_filled_is_not_dispersed():
    trials = np.full((DAYS, 1), 8_000.0)
    series = Series(Subject.FIELD, "m", "everything", "", trials.copy(), trials)
    assert expect(series, SETTINGS).dispersion[-1] == 1


def test_what_comes_beyond_the_usual_volume_takes_no_field_from_the_others():
    trials, counts = np.full((DAYS, 1), 100.0), np.full((DAYS, 1), 80.0)
    trials[50], trials[52], counts[52] = 900.0, 100.0, 0.0
    judged = expect(Series(Subject.FIELD, "m", "everything", "", counts, trials), SETTINGS).trials
    assert judged[[50, 52], 0] == pytest.approx(100, abs=1)


def test_events_of_one_visit_share_their_fate():
    trials = np.full((DAYS, 1), 200.0)
    series = Series(Subject.FIELD, "m", "everything", "", trials.copy(), trials, np.full((DAYS, 1), 10.0))
    assert expect(series, SETTINGS).dispersion[-1] == pytest.approx(20)


def test_trials_that_an_hour_did_not_bring_count_later_on_the_same_day():
    trials, counts = np.full((DAYS, 24), 10.0), np.full((DAYS, 24), 8.0)
    trials[50, :3], counts[50] = (4.0, 16.0, 90.0), 0.0
    judged = expect(Series(Subject.FIELD, "m", "everything", "", counts, trials), SETTINGS)
    assert judged.trials[50, :4] == pytest.approx([4, 16, 10, 10], abs=0.1)
    assert judged.trials_for_loss[50, :4] == pytest.approx([4, 16, 25, 10], abs=0.2)


def test_the_usual_of_a_sum_is_that_of_its_parts_on_the_days_own_mix():
    a_day = np.full((DAYS, 1), 100.0)
    many = a_day.copy()
    many[55] = 300
    rare = Series(Subject.QUALITY, "m", "slot", "hero", 0.1 * a_day, a_day)
    usual = Series(Subject.QUALITY, "m", "slot", "home", 0.6 * many, many)
    whole = Series(
        Subject.QUALITY, "m", "everything", "", 0.1 * a_day + 0.6 * many, a_day + many, parts=(rare, usual)
    )
    expected = expect(whole, SETTINGS).usual
    assert expected[54] == pytest.approx(0.35, abs=0.01)
    assert expected[55] == pytest.approx((0.1 * 100 + 0.6 * 300) / 400, abs=0.01)


def test_strangers_of_a_campaign_say_nothing():
    trials = np.full((DAYS, 1), 100.0)
    trials[50] = 400
    series = Series(Subject.QUALITY, "m", "slot", "home", 0.5 * trials, trials, may_surge=True)
    usual = expect(series, SETTINGS).usual
    assert np.isnan(usual[50]).all()
    assert usual[[49, 51], 0] == pytest.approx(0.5, abs=0.01)
