"""What was answered is on disk: after kill -9, on a full disk, behind a full queue, and by the system calls."""

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from ml.event_log import EventLog
from ml.home import Home
from ml.live_log import recover
from serving.collector.collector import Collector
from serving.collector.submissions import TooManyError
from tests.serving.collector.collecting import Site, settings_with

CHECKOUT = Path(__file__).parents[3]
KILLS = 3  # fifty in the benchmark


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(home, port):
    """A collector in a process of its own that answers on `port`."""
    environment = os.environ | {"TESSERA_HOME": str(home)}
    command = [sys.executable, "-m", "uvicorn", "--factory", "serving.collector.app:from_environment"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning"], cwd=CHECKOUT, env=environment
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the collector did not start within a minute")


def post_until(port, acknowledged, stop):
    """Post clicks one after the other; remember the ids of those that were answered with 202."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not stop.is_set():
            ids = [uuid.uuid4().hex for _ in range(5)]
            events = [{"event_id": one, "event_type": "click", "anonymous_id": "a"} for one in ids]
            connection.request("POST", "/v1/events", json.dumps({"events": events}))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                acknowledged.update(ids)
    except (OSError, http.client.HTTPException):
        return  # killed under us: what was not answered may be lost


def test_no_acknowledged_event_is_lost_when_the_collector_is_killed(tmp_path):
    home, port = tmp_path / "home", free_port()
    acknowledged: set[str] = set()
    for turn in range(KILLS):
        process = start(home, port)
        stop = threading.Event()
        senders = [threading.Thread(target=post_until, args=(port, acknowledged, stop)) for _ in range(4)]
        for sender in senders:
            sender.start()
        time.sleep(0.3 + 0.1 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        stop.set()
        for sender in senders:
            sender.join()
    log = EventLog(Home(home))
    recover(log)
    found = [event_id for batch in log.read(columns=["event_id"]) for event_id in batch["event_id"].to_pylist()]
    assert len(acknowledged) > 50
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_disk_has_said_yes_before_each_202(tmp_path):
    port, trace = free_port(), tmp_path / "trace"
    process = start(tmp_path / "home", port)
    calls = "trace=fdatasync,fsync,sendto,write,writev"
    tracer = subprocess.Popen(
        ["strace", "-f", "-s", "64", "-o", trace, "-e", calls, "-p", str(process.pid)], stderr=subprocess.PIPE
    )
    assert b"attached" in tracer.stderr.readline()
    acknowledged: set[str] = set()
    stop = threading.Event()
    sender = threading.Thread(target=post_until, args=(port, acknowledged, stop))
    sender.start()
    time.sleep(1.5)
    stop.set()
    sender.join()
    process.kill()
    tracer.communicate(timeout=20)
    process.wait()
    synced = answers = 0
    for line in trace.read_text().splitlines():
        if re.search(r"(fdatasync|fsync)(\(\d+\)| resumed>\))\s+= 0", line):
            synced += 1
        elif "HTTP/1.1 202" in line:
            answers += 1
            assert synced > 0, f"answered before the disk: {line}"
            synced = 0  # one sender waits for each answer, so each answer needs a sync of its own
    assert answers == len(acknowledged) // 5 > 3


def test_a_full_disk_answers_503_and_the_collector_recovers_by_itself(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.decode().strip()}")
    try:
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
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            assert client.post("/v1/events", json={"events": noise}).status_code == 202
        assert len(site.events()) == kept + 20
    finally:
        subprocess.run(["umount", disk], check=True)


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
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyError)]
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


def test_a_torn_tail_is_cut_and_the_rest_is_kept(tmp_path):
    home, port = tmp_path / "home", free_port()
    process = start(home, port)
    acknowledged: set[str] = set()
    stop = threading.Event()
    sender = threading.Thread(target=post_until, args=(port, acknowledged, stop))
    sender.start()
    time.sleep(0.5)
    process.kill()
    process.wait()
    stop.set()
    sender.join()
    (part,) = (home / "events/open").glob("*.open")
    with open(part, "ab") as file:
        file.write(b"\x40\x00\x00\x00half a frame")
    log = EventLog(Home(home))
    recover(log)
    found = {event_id for batch in log.read(columns=["event_id"]) for event_id in batch["event_id"].to_pylist()}
    assert acknowledged <= found
