"""Events through Kafka: from the collector to a topic and from there into the log, over real sockets."""

import asyncio
import datetime as dt
import json

import pytest
from confluent_kafka import KafkaException

from ml.events.topic import TopicError, client_options, import_topic, measure_backlog
from ml.home import Home
from ml.settings import load_settings
from serving.collector.collector import Collector
from serving.collector.submissions import StorageUnavailableError
from tests.serving.collector.brokers import Brokers
from tests.serving.collector.collecting import Site

NOW = dt.datetime.now(dt.UTC)
EVERYTHING = load_settings().privacy.default_consent_trusted


@pytest.fixture(scope="module")
def brokers():
    return Brokers()


@pytest.fixture
def site(brokers, tmp_path, request):
    """A site whose collector writes to a topic of its own."""
    topic = request.node.name
    given = load_settings()
    settings = given.model_copy(
        update={
            "collector": given.collector.model_copy(update={"sink": "kafka"}),
            "kafka": given.kafka.model_copy(
                update={"bootstrap_servers": brokers.address, "topic": topic, "timeout_seconds": 5.0}
            ),
        }
    )
    return Site(tmp_path / "home", settings)


def taken_in(site):
    return import_topic(site.home, site.settings.kafka, EVERYTHING, NOW)


def test_what_was_answered_is_in_the_topic_and_then_in_the_log_once(site):
    clicks = [
        {"event_id": f"e{n}", "event_type": "click", "user_id": "u", "properties": {"place": n}} for n in range(3)
    ]
    answer = site.send("/v1/events", {"events": [*clicks, {"event_type": "click"}]})
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (202, 3, 1)
    assert site.events() == []
    assert len(site.letters()) == 1
    assert measure_backlog(site.home, site.settings.kafka).messages == 3

    taken = taken_in(site)
    assert (taken.events, taken.rejected) == (3, 0)
    events = site.events()
    assert [(event["event_id"], event["properties"]["place"]) for event in events] == [
        ("e0", 0),
        ("e1", 1),
        ("e2", 2),
    ]
    assert {event["source"] for event in events} == {"json"}
    assert all(event["received_at"] == events[0]["received_at"] != NOW for event in events)

    assert measure_backlog(site.home, site.settings.kafka).messages == 0
    assert taken_in(site).events == 0
    assert len(site.events()) == 3


def test_a_run_killed_before_its_commit_takes_the_same_ids_in_again(site, brokers, monkeypatch):
    brokers.send(site.settings.kafka.topic, b'{"event_type": "click", "user_id": "u"}')
    with monkeypatch.context() as patch, pytest.raises(KafkaException):
        patch.setattr("ml.events.topic._next_offsets", killed)
        taken_in(site)
    assert taken_in(site).events == 1
    first, again = site.events()
    assert first == again  # the warehouse counts an id once


def killed(_):
    raise KafkaException("killed between the sealing and the commit")


def test_messages_of_others_are_completed_or_kept_as_dead_letters(site, brokers):
    brokers.send(
        site.settings.kafka.topic,
        json.dumps({"event_type": "click", "user_id": "u", "colour": "red"}).encode(), b"no JSON", b"[1]",
        b'{"event_type": "nonsense", "user_id": "u"}', b"",
    )  # fmt: skip
    taken = taken_in(site)
    assert (taken.events, taken.rejected) == (1, 4)
    (event,) = site.events()
    assert event["event_id"].startswith(site.settings.kafka.topic)
    assert (event["consent"], event["properties"]) == (list(EVERYTHING), {"colour": "red"})
    assert event["received_at"] == NOW
    assert {letter["field"] for letter in site.letters()} == {"event", "event_type"}


def test_a_topic_of_many_messages_is_taken_in_in_batches(site, brokers):
    settings = site.settings.kafka.model_copy(update={"batch_events": 200})
    message = b'{"event_type": "click", "user_id": "u"}'
    brokers.send(settings.topic, *[message] * 1_000)
    assert import_topic(site.home, settings, EVERYTHING, NOW).events == 1_000
    assert len({event["event_id"] for event in site.events()}) == 1_000


def test_an_event_too_large_for_the_topic_becomes_a_dead_letter_and_the_others_go_on(site):
    words = {f"word{n}": "x" * 16_000 for n in range(80)}
    click = {"event_type": "click", "user_id": "u"}
    body = json.dumps({"events": [click, {**click, "properties": words}]}).encode()
    settings = site.settings
    settings = settings.model_copy(
        update={"collector": settings.collector.model_copy(update={"max_body_bytes": 4_000_000})}
    )
    answer = Site(site.path, settings).send("/v1/events", content=body)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert "more than the topic takes" in answer.json()["rejected"][0]["error"]
    assert taken_in(site).events == 1
    assert len(site.letters()) == 1


def test_brokers_that_are_away_mean_try_again_and_not_an_answer(tmp_path):
    brokers = Brokers()
    given = load_settings()
    kafka = given.kafka.model_copy(update={"bootstrap_servers": brokers.address, "timeout_seconds": 1.0})
    collector = given.collector.model_copy(update={"sink": "kafka"})
    settings = given.model_copy(update={"collector": collector, "kafka": kafka})
    home = Home(tmp_path / "home")
    click = {"event_type": "click", "user_id": "u"}

    async def record():
        started = Collector(home, settings)
        await started.start()
        assert await started.record([click]) == []
        brokers.stop()
        with pytest.raises(StorageUnavailableError):
            await started.record([click])
        await started.close()

    asyncio.run(record())
    with pytest.raises(TopicError):
        measure_backlog(home, kafka)


def test_options_of_the_owner_come_from_a_file(tmp_path):
    (tmp_path / "kafka.properties").write_text("# ours\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n\n")
    settings = load_settings().kafka.model_copy(update={"client_file": "kafka.properties"})
    options = client_options(settings, Home(tmp_path))
    assert (options["security.protocol"], options["sasl.password"]) == ("SASL_SSL", "a=b")
    (tmp_path / "kafka.properties").write_text("nonsense")
    with pytest.raises(TopicError, match="'nonsense' is not name=value"):
        client_options(settings, Home(tmp_path))
