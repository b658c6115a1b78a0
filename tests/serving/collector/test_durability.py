"""What was answered is on disk: after kill -9, on a full disk, behind a full queue, and by the system calls."""

import asyncio
import datetime as dt
import errno
import os
import re
import shutil
import subprocess
import time
from collections import Counter

import pyarrow as pa
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from ml.home import Home
from serving.collector.collector import Collector
from serving.collector.local_log_sink import LocalLogSink
from serving.collector.submissions import TooManyEventsError
from tests.serving.collector.collecting import Site, settings_with
from tests.serving.collector.processes import CollectorProcess, Senders, send_through_kills
from tests.tiny_disk import enlarge, tiny_disk

NOW = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
KILLS = 3  # fifty in the benchmark


def test_no_acknowledged_event_is_lost_when_the_collector_is_killed(tmp_path):
    home = tmp_path / "home"
    senders = send_through_kills(home, KILLS)
    for part in (home / "events/open").glob("*.open"):
        with open(part, "ab") as file:
            file.write(b"\x40\x00\x00\x00half a frame")  # as a crash inside a write leaves it
    log = EventLog(Home(home))
    recover_parts(log)
    found = Counter(one for batch in log.read(columns=["event_id"]) for one in batch["event_id"].to_pylist())
    assert senders.acknowledged <= set(found)
    twice = {event_id for event_id, copies in found.items() if copies > 1}
    assert twice <= senders.resent  # a repeat in the log is a repeat by the sender; the warehouse counts it once


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_disk_has_said_yes_before_each_202(tmp_path):
    trace = tmp_path / "trace"
    calls = "trace=fdatasync,fsync,sendto,write,writev"
    with CollectorProcess(tmp_path / "home") as collector:
        tracer = subprocess.Popen(
            ["strace", "-f", "-s", "64", "-o", trace, "-e", calls, "-p", str(collector.process.pid)],
            stderr=subprocess.PIPE,
        )
        assert b"attached" in tracer.stderr.readline()
        with Senders(collector.port, threads=1) as sender:
            sender.wait_for(12)
        collector.kill()
        tracer.communicate(timeout=20)
    synced = answers = 0
    for line in trace.read_text().splitlines():
        if re.search(r"(fdatasync|fsync)(\(\d+\)| resumed>\))\s+= 0", line):
            synced += 1
        elif "HTTP/1.1 202" in line:
            answers += 1
            assert synced > 0, f"answered before the disk: {line}"
            synced = 0  # one sender waits for each answer, so each answer needs a sync of its own
    assert answers == sender.requests


def test_a_full_disk_answers_503_and_the_collector_recovers_by_itself(tmp_path):
    with tiny_disk(tmp_path, "1m") as disk:
        site = Site(disk / "home")
        kept = 0
        noise = [{"event_type": "click", "anonymous_id": "a", "x": os.urandom(4_000).hex()} for _ in range(20)]
        with site.open() as client:
            statuses = []
            for _ in range(12):
                answer = client.post("/v1/events", json={"events": noise})
                statuses.append(answer.status_code)
                kept += 20 * (answer.status_code == 202)
                if answer.status_code == 503:
                    assert answer.headers["Retry-After"] == "1"
                    assert "disk is full" in answer.json()["error"]["message"]
            assert statuses[0] == 202
            assert statuses[-1] == 503
            enlarge(disk, "64m")
            assert client.post("/v1/events", json={"events": noise}).status_code == 202
        assert len(site.events()) == kept + 20


def test_a_full_queue_refuses_instead_of_growing(tmp_path):
    settings = settings_with(collector={"max_queued_events": 100, "group_wait_ms": 200.0})

    async def flood():
        collector = Collector(Home(tmp_path / "home"), settings)
        await collector.start()
        click = {"event_type": "click", "anonymous_id": "a"}
        waiting = [asyncio.create_task(collector.record([click] * 40)) for _ in range(5)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        again = await collector.record([click] * 40)
        await collector.close()
        return outcomes, again

    outcomes, again = asyncio.run(flood())
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyEventsError)]
    assert len(refused) == 3  # two of forty fit into a hundred
    assert again == []
    assert sum(part.rows for part in EventLog(Home(tmp_path / "home")).parts()) == 120


def test_subscribers_see_a_batch_before_it_is_answered(tmp_path):
    async def listen():
        collector = Collector(Home(tmp_path / "home"), settings_with())
        seen = []
        collector.subscribe(lambda batch: seen.extend(batch["event_id"].to_pylist()))
        await collector.start()
        await collector.record([{"event_id": "e", "event_type": "click", "user_id": "u"}])
        before_answer = list(seen)
        await collector.close()
        return before_answer

    assert asyncio.run(listen()) == ["e"]


def test_what_nobody_waits_for_is_written_together_and_delays_no_one(tmp_path):
    settings = settings_with(collector={"own_group_wait_ms": 600_000.0})

    async def answer():
        collector = Collector(Home(tmp_path / "home"), settings)
        await collector.start()
        for number in range(5):
            collector.record_soon([{"event_type": "served", "user_id": "u", "recommendation_id": f"r{number}"}])
        before = collector.counts.commits
        await collector.record([{"event_type": "click", "user_id": "u"}])
        after = collector.counts.commits
        await collector.close()
        return before, after

    assert asyncio.run(answer()) == (0, 1)
    assert sum(part.rows for part in EventLog(Home(tmp_path / "home")).parts()) == 6


def test_records_of_the_service_name_nobody_by_a_word_for_nobody(tmp_path):
    home = Home(tmp_path / "home")

    async def record():
        collector = Collector(home, settings_with())
        await collector.start()
        click = {"event_type": "click", "anonymous_id": "a"}
        rejected = await collector.record([{**click, "user_id": "null"}, {**click, "anonymous_id": "undefined"}])
        await collector.close()
        return rejected

    (rejection,) = asyncio.run(record())
    assert (rejection.index, rejection.field) == (1, "user_id")
    (event,) = pa.Table.from_batches(EventLog(home).read()).to_pylist()
    assert (event["user_id"], event["anonymous_id"]) == (None, "a")


def test_a_part_that_could_not_be_sealed_is_sealed_later(tmp_path, monkeypatch):
    log = EventLog(Home(tmp_path / "home"))
    parts = LocalLogSink(log, max_rows=1, max_age_seconds=0.0)
    seal_table = log.seal_table
    refusals = [OSError(errno.ENOSPC, "No space left on device")]

    def sealed(*arguments):
        if refusals:
            raise refusals.pop()
        return seal_table(*arguments)

    monkeypatch.setattr(log, "seal_table", sealed)
    click = {"event_id": "e", "event_type": "click", "user_id": "u", "occurred_at": NOW, "received_at": NOW}
    parts.append(pa.Table.from_pylist([click], schema=EVENT_SCHEMA))
    deadline = time.monotonic() + 20
    while not log.parts() and time.monotonic() < deadline:
        parts.maintain()
        time.sleep(0.01)
    assert [part.rows for part in log.parts()] == [1]
    parts.close()
