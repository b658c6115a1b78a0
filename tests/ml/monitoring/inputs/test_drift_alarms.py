"""Drift is one alarm for each cause, none for what another alarm explains, and closes when it is over."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from ml.home import Home
from ml.monitoring.alert_text import calls_for_training, text_of
from ml.monitoring.inputs.drift import compare_window
from ml.monitoring.inputs.drift_alarms import record_drift
from ml.monitoring.inputs.profile import profile_windows
from ml.monitoring.journal import CLOSED, EXPLAINED, OPENED, Entry, Journal
from ml.monitoring.training_decision import decide_on_training
from ml.settings.operation import AlertSettings, MonitoringSettings
from tests.ml.monitoring.inputs.input_sites import END, week, weeks_before

SETTINGS = MonitoringSettings()
NOW = END.replace(tzinfo=dt.UTC) + dt.timedelta(hours=1)
MOVED = {"DE": 0.2, "FR": 0.3, "IT": 0.15, "MT": 0.35}
REFERENCE = profile_windows(weeks_before(np.random.default_rng(99)), 5)


@pytest.fixture
def journal(tmp_path):
    return Journal(Home(tmp_path))


def recorded(journal, window, now=NOW, unknown=0.0):
    return record_drift(
        journal,
        compare_window(REFERENCE, END - dt.timedelta(days=7), window, SETTINGS),
        unknown,
        window,
        now,
        SETTINGS,
    )


def moved_week(seed=0, **changes):
    return week(np.random.default_rng(seed), countries=MOVED, since_day=3, **changes)


def open_alarm(journal, subject, measure, dimension, since, follows=""):
    facts = {"subject": subject, "measure": measure, "dimension": dimension, "slice": "x", "severity": "high",
             "since": since.isoformat(), "detected_at": since.isoformat(), "certainty": "sure", "runbook": "",
             "follows": follows}  # fmt: skip
    entry = Entry(since.isoformat(), OPENED, f"{subject}-{measure}", "text", facts)
    journal.append([entry])
    return entry


def test_a_column_that_drifts_is_one_alarm_for_as_long_as_it_does(journal):
    (entry,) = recorded(journal, moved_week())
    assert entry.text.startswith("What models read in users.country has changed: MT rose to ")
    assert "from 4.7% in the training" in entry.text
    assert entry.alarm == "input-users.country-mt-20260528"
    assert entry.facts["since"] == "2026-05-28T00:00:00+00:00"
    assert (entry.facts["severity"], entry.facts["runbook"]) == ("medium", "docs/monitoring.md#inputs")
    assert "A training may help" in text_of([entry])
    assert recorded(journal, moved_week(1), NOW + dt.timedelta(days=1)) == []
    recorded(journal, week(np.random.default_rng(2)), NOW + dt.timedelta(days=2))
    assert journal.open_alarms() == []
    assert journal.entries()[-1].what == CLOSED


def test_several_columns_are_one_alarm_and_a_lost_one_names_it(journal):
    (entry,) = recorded(journal, moved_week(missing=0.7, spend=4.0))
    assert (entry.facts["subject"], entry.facts["measure"]) == ("field", "users.device_type")
    assert entry.facts["follows"] == "users.country, users.spend"
    assert "users.device_type is missing in what models read" in entry.text
    assert not calls_for_training(entry)


@pytest.mark.parametrize(
    ("subject", "measure", "dimension", "days_ago"),
    [
        ("field", "country", "browser", 60),  # the field itself was lost long before
        ("audience", "page views", "country", 60),
        ("volume", "page_view", "everything", 5),  # something else began when the column began to drift
    ],
)
def test_what_another_alarm_explains_is_no_alarm(journal, subject, measure, dimension, days_ago):
    cause = open_alarm(journal, subject, measure, dimension, NOW - dt.timedelta(days=days_ago))
    assert recorded(journal, moved_week()) == []
    # Later the whole week lies after the change, and the drift is still that of the alarm.
    late = NOW + dt.timedelta(days=20)
    later = replace(moved_week(), end=END + dt.timedelta(days=20))
    assert recorded(journal, later, late) == []
    assert len([entry for entry in journal.entries() if entry.what == EXPLAINED]) == (days_ago == 5)
    journal.append([Entry(late.isoformat(), CLOSED, cause.alarm, "over")])
    assert len(recorded(journal, later, late)) == 1


@pytest.mark.parametrize(
    ("column", "subject", "dimension"),
    [("category_shares:sport", "taste", "category"), ("device_shares:tv", "audience", "device_type")],
)
def test_shares_of_a_person_are_explained_by_what_they_are_shares_of(journal, column, subject, dimension):
    def renamed(window):
        users = window.tables["users"]
        names = [column if name == "spend" else name for name in users.column_names]
        return replace(window, tables={**window.tables, "users": users.rename_columns(names)})

    profiles = profile_windows([renamed(each) for each in weeks_before(np.random.default_rng(99))], 5)
    moved = renamed(week(np.random.default_rng(0), spend=4.0))
    drifts = compare_window(profiles, END - dt.timedelta(days=7), moved, SETTINGS)
    open_alarm(journal, subject, "views", dimension, NOW - dt.timedelta(days=60))
    assert record_drift(journal, drifts, 0.0, moved, NOW, SETTINGS) == []
    journal.append([Entry(NOW.isoformat(), CLOSED, f"{subject}-views", "over")])
    (entry,) = record_drift(journal, drifts, 0.0, moved, NOW, SETTINGS)
    assert entry.facts["measure"] == f"users.{column}"


def test_an_alarm_of_another_time_about_something_else_explains_nothing(journal):
    open_alarm(journal, "volume", "page_view", "everything", NOW - dt.timedelta(days=30))
    assert len(recorded(journal, moved_week())) == 1


def test_a_second_cause_is_a_second_alarm(journal):
    recorded(journal, moved_week())
    later = replace(week(np.random.default_rng(3), countries=MOVED, spend=4.0), end=END + dt.timedelta(days=20))
    (second,) = recorded(journal, later, NOW + dt.timedelta(days=20))
    assert (second.facts["measure"], second.facts["follows"]) == ("users.spend", "")


def test_items_that_the_model_does_not_know_call_for_a_training(journal):
    quiet = week(np.random.default_rng(0))
    assert recorded(journal, quiet, unknown=0.49) == []
    (entry,) = recorded(journal, quiet, unknown=0.62)
    assert entry.text == "62% of interactions are with items that the model does not know"
    assert recorded(journal, quiet, NOW + dt.timedelta(days=1), unknown=0.62) == []
    decision = decide_on_training(journal, NOW - dt.timedelta(days=5), NOW, AlertSettings())
    assert decision.starts
    assert entry.alarm in decision.reason
    recorded(journal, quiet, NOW + dt.timedelta(days=2), unknown=0.3)
    assert len(journal.open_alarms()) == 1
    recorded(journal, quiet, NOW + dt.timedelta(days=3), unknown=0.2)
    assert journal.open_alarms() == []


def test_a_lost_column_is_not_answered_by_a_training(journal):
    recorded(journal, week(np.random.default_rng(0), missing=0.8, since_day=2))
    assert not decide_on_training(journal, NOW - dt.timedelta(days=5), NOW, AlertSettings()).starts


def test_a_year_of_quiet_weeks_opens_nothing(journal):
    for seed in range(52):
        assert recorded(journal, week(np.random.default_rng(seed)), NOW + dt.timedelta(days=7 * seed)) == []
