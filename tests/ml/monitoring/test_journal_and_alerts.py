"""Alarms are noted once, sent once to a server that listens, held in quiet hours, and closed in the end."""

import datetime as dt
import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from ml.errors import DamagedFileError
from ml.home import Home
from ml.local_clock import is_within
from ml.monitoring.alarms import find_alarms
from ml.monitoring.alerts import AlertAddressError, read_addresses, send_alerts
from ml.monitoring.journal import (
    ACKNOWLEDGED,
    CLOSED,
    ROLLED_BACK,
    TRAINED,
    TRIED,
    UNDELIVERED,
    Entry,
    Journal,
)
from ml.monitoring.training_decision import TrainingDecision, decide_on_training
from ml.settings.operation import AlertSettings, MonitoringSettings
from tests.http_receiver import receiving
from tests.ml.monitoring.sites import CHANGE, day, fields, site, tastes

SETTINGS, ALERTS = MonitoringSettings(), AlertSettings()
BROKEN = "json://127.0.0.1:9"
NOW = day(CHANGE + 10, hour=12)
MIDNIGHT = day(CHANGE + 10, hour=0)


@pytest.fixture(scope="module")
def lost_field():
    return find_alarms(site(fields(np.random.default_rng(0), lost_on="Safari", lost=1.0)), SETTINGS)


@pytest.fixture(scope="module")
def moved_taste():
    return find_alarms(site(tastes(np.random.default_rng(0), moved=0.4, days=slice(CHANGE + 6, None))), SETTINGS)


@pytest.fixture
def journal(tmp_path):
    return Journal(Home(tmp_path))


@pytest.fixture
def receiver():
    """A server that keeps the messages it is sent, and its address in the form of Apprise."""
    messages = []
    with receiving(lambda _, body: messages.append(json.loads(body))) as port:
        yield f"json://127.0.0.1:{port}", messages


def test_an_alarm_is_noted_once_however_often_it_is_found(journal, lost_field):
    assert len(journal.record(lost_field, NOW, SETTINGS)) == 1
    assert journal.record(lost_field, NOW + dt.timedelta(days=1), SETTINGS) == []
    (entry,) = journal.open_alarms()
    assert entry.facts["measure"] == "item_id"
    assert entry.facts["slice"] == "Safari"
    assert entry.facts["severity"] == "high"
    assert entry.facts["runbook"] == "docs/monitoring.md#lost-fields"


def test_what_began_with_an_alarm_or_goes_on_is_no_alarm_of_its_own(journal, lost_field):
    journal.record(lost_field, NOW, SETTINGS)
    (alarm,) = lost_field
    renamed = replace(alarm, dimension="device_type", slice="mobile", since=alarm.since + dt.timedelta(days=2))
    going_on = replace(alarm, since=alarm.since + dt.timedelta(days=9))
    another = replace(going_on, slice="Chrome")
    assert journal.record([renamed, going_on], NOW, SETTINGS) == []
    assert len(journal.record([another], NOW, SETTINGS)) == 1


def test_an_alarm_closes_when_the_change_has_become_the_usual(journal, lost_field):
    journal.record(lost_field, NOW, SETTINGS)
    later = NOW + dt.timedelta(days=SETTINGS.reference_days + SETTINGS.lag_days)
    assert journal.record(lost_field, later, SETTINGS) == []
    assert journal.open_alarms() == []
    assert journal.entries()[-1].what == CLOSED


def test_an_old_alarm_of_a_home_without_a_journal_is_no_news(journal, lost_field):
    assert journal.record(lost_field, NOW + dt.timedelta(days=60), SETTINGS) == []


def test_a_message_says_what_since_when_how_sure_and_what_to_do(journal, lost_field, receiver):
    address, messages = receiver
    journal.record(lost_field, NOW, SETTINGS)
    (name,) = send_alerts(journal, [address], ALERTS, NOW, "UTC")
    assert send_alerts(journal, [address], ALERTS, NOW, "UTC") == []
    (message,) = messages
    assert message["title"].startswith("item_id is missing on the browser Safari: ")
    text = message["message"]
    for part in (
        f"Since {day(CHANGE):%Y-%m-%d} 09:00 UTC; certain since ",
        "How sure: chance alone would show a change this large",
        "A training on such data would not help.",
        "What to do: docs/monitoring.md#lost-fields",
        f"tessera alerts acknowledge {name}",
    ):
        assert part in text


def test_in_quiet_hours_only_the_urgent_is_sent_and_the_rest_waits(journal, lost_field, moved_taste, receiver):
    address, messages = receiver
    journal.record([*lost_field, *moved_taste], MIDNIGHT, SETTINGS)
    assert [name.split("-")[0] for name in send_alerts(journal, [address], ALERTS, MIDNIGHT, "UTC")] == ["field"]
    assert send_alerts(journal, [address], ALERTS, MIDNIGHT, "UTC") == []
    assert [name.split("-")[0] for name in send_alerts(journal, [address], ALERTS, NOW, "UTC")] == ["taste"]
    assert [message["type"] for message in messages] == ["failure", "warning"]


def test_quiet_hours_are_those_of_the_site(journal, moved_taste, receiver):
    address, _ = receiver
    journal.record(moved_taste, MIDNIGHT, SETTINGS)
    assert send_alerts(journal, [address], ALERTS, MIDNIGHT, "UTC") == []
    assert send_alerts(journal, [address], ALERTS, MIDNIGHT, "Asia/Tokyo") != []
    assert is_within(23, 22, 7)
    assert is_within(6, 22, 7)
    assert not is_within(7, 22, 7)
    assert not is_within(3, 3, 3)


def test_an_alarm_that_is_acknowledged_or_not_severe_enough_is_not_sent(
    journal, lost_field, moved_taste, receiver
):
    address, messages = receiver
    (entry,) = journal.record(lost_field, NOW, SETTINGS)
    journal.append([Entry(NOW.isoformat(), ACKNOWLEDGED, entry.alarm, "")])
    journal.record(moved_taste, NOW, SETTINGS)
    assert send_alerts(journal, [address], AlertSettings(least_severity="high"), NOW, "UTC") == []
    assert messages == []


def test_what_no_address_takes_is_sent_again_and_one_broken_address_stops_no_other(journal, lost_field, receiver):
    address, messages = receiver
    journal.record(lost_field, NOW, SETTINGS)
    assert send_alerts(journal, [BROKEN], ALERTS, NOW, "UTC") == []
    assert journal.entries()[-1].what == UNDELIVERED
    assert len(send_alerts(journal, [BROKEN, address], ALERTS, NOW, "UTC")) == 1
    assert send_alerts(journal, [BROKEN, address], ALERTS, NOW, "UTC") == []
    assert len(messages) == 1
    assert "Address 1 (json:…) did not accept the message." in [entry.text for entry in journal.entries()]


def test_an_address_is_named_without_its_secrets(journal, lost_field, caplog):
    caplog.set_level(logging.DEBUG)
    journal.record(lost_field, NOW, SETTINGS)
    addresses = ["pigeon://user:secret@roof", "secret", BROKEN.replace("127", "user:secret@127")]
    assert send_alerts(journal, addresses, ALERTS, NOW, "UTC") == []
    faults = [entry.text for entry in journal.entries() if entry.what == UNDELIVERED]
    assert [fault[:24] for fault in faults] == [
        "Address 1 (pigeon:…) is ", "Address 2 is not an addr", "Address 3 (json:…) did n"
    ]  # fmt: skip
    assert "secret" not in journal.file.read_text(encoding="utf-8") + caplog.text


def test_addresses_stand_in_a_file_of_the_home(tmp_path):
    home, settings = Home(tmp_path), AlertSettings(addresses_file="alerts.txt")
    assert read_addresses(home, ALERTS) == []
    with pytest.raises(AlertAddressError, match=r"alerts.txt cannot be read"):
        read_addresses(home, settings)
    (tmp_path / "alerts.txt").write_text("# on call\n\n", encoding="utf-8")
    with pytest.raises(AlertAddressError, match="holds no address"):
        read_addresses(home, settings)
    (tmp_path / "alerts.txt").write_text("# on call\n slack://a/b/c \nmailto://x\n", encoding="utf-8")
    assert read_addresses(home, settings) == ["slack://a/b/c", "mailto://x"]


def test_trainings_answer_alarms_at_growing_distances_and_age_too(journal, lost_field, moved_taste):
    def decide(last, now):
        return decide_on_training(journal, NOW + dt.timedelta(days=last), NOW + dt.timedelta(days=now), ALERTS)

    journal.record(lost_field, NOW, SETTINGS)
    assert not decide(-5, 0).starts
    (taste,) = journal.record(moved_taste, NOW, SETTINGS)
    assert decide(-5, 0) == TrainingDecision(True, f"alarms {taste.alarm}")
    assert "1.0 days old, which is too young" in decide(-1, 0).reason
    follows = TrainingDecision(True, f"more is there to learn from since the alarms {taste.alarm}")
    assert [decide(0, now).starts for now in (1.9, 2)] == [False, True]
    assert [decide(2, now) == follows for now in (5.9, 6)] == [False, True]
    assert [decide(6, now) == follows for now in (13.9, 14)] == [False, True]
    assert not decide(14, 27).starts
    assert decide(14, 29) == TrainingDecision(True, "the last one is 15 days old")
    journal.append([Entry(NOW.isoformat(), TRAINED, "", "A training is started.")])
    assert not decide(-5, 1).starts
    assert decide(-5, 3).starts


def test_a_damaged_line_is_named(journal, lost_field):
    journal.record(lost_field, NOW, SETTINGS)
    with open(journal.file, "a", encoding="utf-8") as file:
        file.write("{\n")
    with pytest.raises(DamagedFileError, match="line 2"):
        journal.entries()


def test_a_rollback_is_told_once_and_an_old_one_is_no_news(journal, receiver):
    address, messages = receiver
    journal.note(TRIED, 7, "als (version 7) answers 10% of the people.", NOW)
    journal.note(ROLLED_BACK, 7, "als (version 7): It is worse.", NOW)
    everything = AlertSettings(least_severity="low")
    assert send_alerts(journal, [address], ALERTS, NOW, "UTC") == ["canary_rolled_back-7"]
    assert send_alerts(journal, [address], everything, NOW, "UTC") == ["canary_started-7"]
    assert send_alerts(journal, [address], everything, NOW, "UTC") == []
    assert messages[0]["message"].splitlines() == [
        "als (version 7): It is worse.",
        "What to do: docs/monitoring.md#new-models",
    ]
    assert (journal.open_alarms(), journal.unacknowledged()) == ([], [])
    journal.note(ROLLED_BACK, 8, "als (version 8): It is worse.", NOW - dt.timedelta(days=8))
    assert send_alerts(journal, [address], everything, NOW, "UTC") == []
