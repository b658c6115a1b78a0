"""The contract of every state store."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from ml.decisions.activity.state_change import StateChange
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.settings import load_settings
from serving.state.online import OnlineState
from serving.state.sqlite_store import SqliteStore

T = 1_800_000_000.0


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    redis = pytest.importorskip("redis", reason="the extra redis is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    yield url
    server.terminate()
    server.wait()


@pytest.fixture(params=["sqlite", "redis"])
def open_again(request, tmp_path):
    """Opens the same store as often as it is called, as several workers do."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "state.db")
    url = request.getfixturevalue("redis_url")
    from serving.state.redis_store import RedisStore

    return lambda: RedisStore(url, prefix=tmp_path.name)


def views(*items):
    return [StateChange("u", "page_view", T + place, item) for place, item in enumerate(items)]


def test_changes_come_back_in_order_to_every_worker(open_again):
    worker, other = open_again(), open_again()
    assert worker.newest() == 0
    assert worker.append(views("a", "b")) == 2
    assert other.append([StateChange("v", "impression", T, "c", slot="top", campaign="x", detail="{}")]) == 3
    changes = worker.since(1, 10)
    assert [(position, change.item) for position, change in changes] == [(2, "b"), (3, "c")]
    assert changes[1][1] == StateChange("v", "impression", T, "c", slot="top", campaign="x", detail="{}")
    assert [change.item for _, change in other.since(0, 2)] == ["a", "b"]


def test_the_changes_of_an_event_are_removed_for_its_person_alone(open_again):
    changes = [
        StateChange(user, "page_view", 1.0, "i1", event_id=event_id)
        for user, event_id in (("ann", "e1"), ("ann", "e2"), ("bob", "e1"), ("ann", "e1"))
    ]
    store = open_again()
    store.append(changes)
    assert store.remove_events([("e1", "ann"), ("e3", "bob")]) == 2
    assert store.remove_events([("e1", "ann")]) == 0
    left = [(change.user, change.event_id) for _, change in open_again().since(0, 10)]
    assert left == [("ann", "e2"), ("bob", "e1")]


def test_trimming_keeps_the_newest(open_again):
    store = open_again()
    store.append(views("a", "b", "c"))
    store.trim(2)
    assert [change.item for _, change in store.since(0, 10)] == ["b", "c"]
    assert store.append(views("d")) == 4


def test_profiles_and_documents_survive(open_again):
    store = open_again()
    assert store.profile("u") == {}
    store.put_profile("u", {"muted": ["x"]})
    store.put_value("weights", [1, 2.5])
    store.close()
    again = open_again()
    assert again.profile("u") == {"muted": ["x"]}
    assert again.value("weights") == [1, 2.5]
    assert again.value("other") is None


def test_two_workers_change_a_document_and_none_is_lost(open_again):
    def add(store, count):
        for _ in range(count):
            store.change_value("sum", lambda value: (value or 0) + 1)

    workers = [open_again(), open_again()]
    threads = [threading.Thread(target=add, args=(store, 50)) for store in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workers[0].value("sum") == 100
    assert workers[0].change_value("sum", lambda value: value * 2) == 200


def test_a_forgotten_person_leaves_nothing_and_others_stay(open_again):
    store = open_again()
    store.append([*views("a", "b"), StateChange("v", "page_view", T, "a")])
    store.put_profile("u", {"muted": []})
    assert store.forget("u") == 3
    assert [change.user for _, change in store.since(0, 10)] == ["v"]
    assert store.profile("u") == {}


@pytest.fixture
def open_state(open_again, home):
    """Opens one worker's state with the store."""

    def open_worker():
        state = OnlineState(open_again(), load_settings().serving.state, Quarantine(home))
        state.open(EventLog(home))
        return state

    return open_worker


def test_workers_see_what_others_record_and_forget(open_state):
    worker, other = open_state(), open_state()
    worker.record(views("a", "b"))
    other.catch_up()
    assert len(other.activity.find_visitor("u").recent) == 2
    worker.note(StateChange("u", "served", T, slot="top", detail='["a"]'))
    worker.flush()
    worker.catch_up()  # its own change is not counted twice
    other.catch_up()
    assert len(worker.activity.find_visitor("u").answered_slots["top"]) == 1
    assert len(other.activity.find_visitor("u").answered_slots["top"]) == 1
    worker.put_profile("u", {"opt_out": True}, T)
    assert other.catch_up() == 1
    assert other.profile("u") == {"opt_out": True}
    worker.forget("u")
    other.catch_up()
    assert other.activity.find_visitor("u") is None


KILLED = """
import sys
from pathlib import Path
from ml.decisions.activity.state_change import StateChange
from serving.state.sqlite_store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
number = 0
while True:
    store.append([StateChange("u", "page_view", 1.0, f"{number}-{part}") for part in range(3)])
    print(number, flush=True)
    number += 1
"""


def test_what_was_acknowledged_survives_kill_9_and_nothing_is_torn(tmp_path):
    path = tmp_path / "state.db"
    writer = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    for _ in range(20):
        last = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.communicate()[0].split()
    last = int(rest[-1]) if rest else last
    items = [change.item for _, change in SqliteStore(path).since(0, 100_000)]
    assert len(items) % 3 == 0
    assert items[: 3 * (last + 1)] == [f"{number}-{part}" for number in range(last + 1) for part in range(3)]
