"""[service_kills] kill -9 under load, 20 times: seconds until ready again, and what the state lost.

Every round, four people of its own open items and wait for each answer, 60 openings in all. After the kill and
the restart, each of those items must be among the person's recent ones, and no other.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
from figure import Figure
from served import SERVICE, factors, free_port, publish, running

ITEMS, KILLS, OPENINGS = 20_000, 20, 60
PATIENCE_SECONDS = 300.0  # a busy machine takes its time


def measure(size: float) -> Iterator[Figure]:
    """One home, killed and started again and again."""
    kills, n_items = max(2, int(KILLS * size)), max(1_000, int(ITEMS * size))
    users, items = factors(n_items)
    opened: dict[str, list[str]] = {}
    waits: list[float] = []
    wrong = acknowledged = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        publish(home / "published", users, items)
        for number in range(kills + 1):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            started = time.perf_counter()
            with running([*SERVICE, str(port)], url, "/readyz", TESSERA_HOME=str(home)) as process:
                if number:
                    waits.append(time.perf_counter() - started)
                wrong += sum(not _is_right(url, person, expected) for person, expected in opened.items())
                if number == kills:
                    break
                opened = _until_killed(url, process.pid, number)
                acknowledged += sum(map(len, opened.values()))
    yield Figure("service_kills", max(waits), f"s until ready, worst of {kills} kills", rows=n_items)
    yield Figure("service_kills", wrong, "people whose state was wrong", rows=acknowledged)


def _until_killed(url: str, pid: int, number: int) -> dict[str, list[str]]:
    """Four people open items until the service is killed; what was acknowledged, oldest first."""
    opened: dict[str, list[str]] = {f"person-{number}-{place}": [] for place in range(4)}
    threads = [threading.Thread(target=_open_items, args=(url, person, opened[person])) for person in opened]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE_SECONDS
    while sum(map(len, opened.values())) < OPENINGS and time.monotonic() < until:
        time.sleep(0.01)
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        process.kill()
    for thread in threads:
        thread.join()
    return opened


def _open_items(url: str, person: str, acknowledged: list[str]) -> None:
    number = 0
    with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
        while True:
            item = f"i{number}"
            event = {"event_type": "page_view", "user_id": person, "item_id": item}
            try:
                if client.post("/v1/events", json={"events": [event]}).status_code != 202:
                    return
                acknowledged.append(item)
                client.post("/v1/recommendations", json={"user_id": person, "slot": "home"})
            except httpx.TransportError:
                return
            number += 1


def _is_right(url: str, person: str, expected: list[str]) -> bool:
    """Whether the newest items of a person are those that were acknowledged; one more may have been on its way."""
    recent = [
        entry["item_id"]
        for entry in httpx.get(f"{url}/v1/users/{person}", timeout=PATIENCE_SECONDS).json().get("recent", [])
    ][::-1]
    last = expected[-10:]
    return recent[-len(last) :] == last or recent[-len(last) - 1 : -1] == last
