"""Alarms of small sites: one for each cause, in time, by the right name, and none on campaign days."""

import datetime as dt

import numpy as np
import pytest

from ml.monitoring.alarms import find_alarms
from ml.monitoring.series import Subject
from ml.monitoring.words import certainty, headline
from ml.settings.operation import MonitoringSettings
from tests.ml.monitoring.sites import CHANGE, DAYS, day, fields, quality, site, tastes

SETTINGS = MonitoringSettings()


def everything(rng, *, fields_=None, tastes_=None, quality_=None):
    return [*fields(rng, **(fields_ or {})), *tastes(rng, **(tastes_ or {})), *quality(rng, **(quality_ or {}))]


def test_quiet_sites_have_hardly_an_alarm():
    quiet = [find_alarms(site(everything(np.random.default_rng(seed))), SETTINGS) for seed in range(12)]
    watched_days = 12 * (DAYS - SETTINGS.grace_days - SETTINGS.lag_days)
    assert sum(map(len, quiet)) / watched_days <= 1 / SETTINGS.days_between_false_alarms


@pytest.mark.parametrize("seed", range(3))
def test_a_lost_field_is_found_within_hours_on_its_browser(seed):
    rng = np.random.default_rng(seed)
    (alarm,) = find_alarms(site(everything(rng, fields_={"lost_on": "Firefox", "lost": 1.0})), SETTINGS)
    assert (alarm.subject, alarm.measure, alarm.dimension, alarm.slice) == (
        Subject.FIELD, "item_id", "browser", "Firefox",
    )  # fmt: skip
    assert abs(alarm.since - day(CHANGE, 9)) <= dt.timedelta(hours=1)
    assert day(CHANGE, 9) < alarm.detected_at <= day(CHANGE, 15)
    assert headline(alarm).startswith("item_id is missing on the browser Firefox: ")
    assert certainty(alarm).startswith("chance alone would show a change this large on ")
    assert alarm.odds_of_chance < 1 / SETTINGS.days_between_false_alarms


def test_a_field_that_is_lost_everywhere_is_laid_on_no_slice():
    rng = np.random.default_rng(1)
    series = fields(rng)
    lost = [
        type(one)(
            one.subject,
            one.measure,
            one.dimension,
            one.slice,
            np.where(one.trials < -1, 0, one.counts),
            one.trials,
        )
        for one in series
    ]
    for one in lost:
        one.counts[CHANGE:] = 0
    (alarm,) = find_alarms(site(lost), SETTINGS)
    assert (alarm.dimension, alarm.slice) == ("everything", "")


def test_a_change_of_taste_is_found_in_three_days_and_carries_the_category_that_gained():
    rng = np.random.default_rng(4)
    (alarm,) = find_alarms(site(everything(rng, tastes_={"moved": 0.25})), SETTINGS)
    assert (alarm.subject, alarm.slice) == (Subject.TASTE, "home")
    assert alarm.detected_at <= day(CHANGE + 3)
    assert alarm.observed > alarm.usual or alarm.slice != "home"
    assert headline(alarm).startswith("What people view has changed toward home: ")


def test_a_campaign_day_is_no_alarm():
    rng = np.random.default_rng(5)
    campaign = {"moved": 0.9, "days": slice(CHANGE, CHANGE + 1)}
    assert find_alarms(site(everything(rng, tastes_=campaign)), SETTINGS) == []


def test_worse_answers_are_those_of_the_model_that_began_to_answer():
    rng = np.random.default_rng(6)
    versions = {"simulator-1": 0.0, "simulator-2": CHANGE + 9 / 24}
    (alarm,) = find_alarms(site(everything(rng, quality_={"worse": 0.5}), versions), SETTINGS)
    assert (alarm.subject, alarm.dimension, alarm.slice) == (Subject.QUALITY, "model_version", "simulator-2")
    assert alarm.detected_at - day(CHANGE, 9) <= dt.timedelta(days=1)
    assert "since the model simulator-2 answers, from the usual 50%" in headline(alarm)


def test_changes_of_one_moment_are_one_alarm_named_by_the_cause():
    rng = np.random.default_rng(7)
    series = everything(
        rng, fields_={"lost_on": "Chrome", "lost": 1.0}, quality_={"worse": 0.6}, tastes_={"moved": 0.4}
    )
    (alarm,) = find_alarms(site(series), SETTINGS)
    assert (alarm.subject, alarm.slice) == (Subject.FIELD, "Chrome")
    assert set(alarm.follows) == {"clicked answers", "views"}


def test_a_change_that_is_sure_but_small_is_no_alarm():
    rng = np.random.default_rng(8)
    assert find_alarms(site(tastes(rng, moved=0.02, a_day=200_000)), SETTINGS) == []


def test_the_same_days_give_the_same_alarms_and_later_days_do_not_change_them():
    rng = np.random.default_rng(9)
    series = everything(rng, fields_={"lost_on": "Safari", "lost": 1.0})
    earlier = [
        type(one)(one.subject, one.measure, one.dimension, one.slice, one.counts[:50], one.trials[:50])
        for one in series
    ]
    assert find_alarms(site(series), SETTINGS) == find_alarms(site(earlier), SETTINGS) != []
