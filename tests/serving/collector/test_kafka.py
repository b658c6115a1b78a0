"""Events through Kafka: from the collector to a topic and from there into the log, over real sockets."""

import asyncio
import datetime as dt
import json

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from ml.events.dead_letter_topic import DeadLetterTopicError
from ml.events.log import EventLog
from ml.events.topic import TopicError, client_options, import_topic, measure_backlog
from ml.home import Home
from ml.settings import load_settings
from serving.collector.collector import Collector
from serving.collector.submissions import StorageUnavailableError
from tests.serving.collector.brokers import Brokers
from tests.serving.collector.collecting import Site
from tests.serving.collector.topic_readers import TopicReaders

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


def test_a_run_killed_before_its_commit_takes_nothing_in_again(site, brokers, monkeypatch):
    brokers.send(site.settings.kafka.topic, b'{"event_type": "click", "user_id": "u"}')
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ml.events.topic._commit", interrupted)
        taken_in(site)
    assert measure_backlog(site.home, site.settings.kafka).messages == 0
    assert taken_in(site).events == 0
    assert len(site.events()) == 1


def test_a_run_killed_before_its_events_are_sealed_loses_and_doubles_nothing(site, brokers, monkeypatch):
    brokers.send(site.settings.kafka.topic, b'{"event_type": "click", "user_id": "u"}', b"no JSON")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ml.events.log.EventLog._seal", interrupted)
        taken_in(site)
    assert site.events() == []
    brokers.send(site.settings.kafka.topic, b"nor this")
    taken = taken_in(site)
    assert (taken.events, taken.rejected) == (1, 2)
    assert (len(site.events()), len(site.letters())) == (1, 2)


def test_messages_that_are_no_events_are_read_once_too(site, brokers):
    brokers.send(site.settings.kafka.topic, b"no JSON")
    assert taken_in(site).rejected == 1
    assert measure_backlog(site.home, site.settings.kafka).messages == 0
    assert (taken_in(site).rejected, len(site.letters())) == (0, 1)


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_offsets_that_the_brokers_do_not_take_do_not_fail_the_import(site, brokers, monkeypatch, caplog):
    class Refused(Consumer):
        def commit(self, **_):
            raise KafkaException(KafkaError(KafkaError.COORDINATOR_NOT_AVAILABLE))

    brokers.send(site.settings.kafka.topic, b'{"event_type": "click", "user_id": "u"}')
    with monkeypatch.context() as patch:
        patch.setattr("confluent_kafka.Consumer", Refused)
        assert taken_in(site).events == 1
    assert "behind the log" in caplog.text
    assert taken_in(site).events == 0


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(site, brokers, caplog):
    topic = site.settings.kafka.topic
    with EventLog(site.home).ingest("kafka", read_until=((topic, 0, 1_000_000),)):
        pass
    brokers.send(topic, b'{"event_type": "click", "user_id": "u"}')
    partitions = set(measure_backlog(site.home, site.settings.kafka).end)
    assert taken_in(site).events == 1
    assert 0 in partitions
    assert "was made anew" in caplog.text


def test_rejected_messages_go_to_the_topic_of_dead_letters_with_the_fault(site, brokers):
    letters = f"{site.settings.kafka.topic}-rejected"
    settings = site.settings.kafka.model_copy(update={"dead_letter_topic": letters})
    wrong = b'{"event_type": "nonsense", "user_id": "u"}'
    brokers.send(settings.topic, b'{"event_type": "click", "user_id": "u"}', wrong)
    taken = import_topic(site.home, settings, EVERYTHING, NOW)
    assert (taken.events, taken.rejected) == (1, 1)
    (letter,) = brokers.read(letters, 1)
    headers = {name: value.decode() for name, value in letter.headers()}
    assert letter.value() == wrong
    assert (headers["field"], headers["topic"]) == ("event_type", settings.topic)
    assert "nonsense" in headers["reason"]
    assert headers["partition"].isdigit()
    assert headers["offset"].isdigit()
    assert len(site.letters()) == 1


def test_a_topic_of_dead_letters_that_takes_nothing_keeps_the_messages_for_later(site, brokers, monkeypatch):
    class Closed(Producer):
        def produce(self, *_, on_delivery, **__):
            on_delivery(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), None)

    settings = site.settings.kafka.model_copy(update={"dead_letter_topic": "closed"})
    brokers.send(settings.topic, b"no JSON", b'{"event_type": "click", "user_id": "u"}')
    with monkeypatch.context() as patch, pytest.raises(DeadLetterTopicError, match="did not take 1 rejected"):
        patch.setattr("confluent_kafka.Producer", Closed)
        import_topic(site.home, settings, EVERYTHING, NOW)
    assert site.events() == []
    taken = import_topic(site.home, settings, EVERYTHING, NOW)
    assert (taken.events, taken.rejected, len(site.letters())) == (1, 1, 1)


def test_two_processes_killed_again_and_again_read_each_message_once(site, brokers):
    topic_readers = TopicReaders(brokers, site.home, site.settings.kafka.topic, seed=3)
    read = topic_readers.run(kills=4, messages=3_000)
    assert (read.lost, read.doubled, read.letters_lost, read.letters_doubled) == (0, 0, 0, 0)
    assert read.events + read.letters == 3_000


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
