"""[service_machines] two services with a home each, one Redis, one bucket: kill -9 of either, 20 times under load.

People open items at whichever machine answers, and wait for each answer. In every round a bundle is published and
shared through the bucket, and one machine is killed and started again. What was acknowledged must be what either
machine knows of a person, and stand in a log, no log twice. Both must end up answering from the newest bundle.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from figure import Figure
from served import ROOT, factors, free_port, publish, wait_until_ready

from ml.bundle.object_store import ObjectStore
from ml.events.live_log import read_all_events
from ml.events.log import EventLog
from ml.home import Home
from ml.privacy.pseudonyms import Pseudonyms
from tests.serving.redis_process import RedisProcess

ITEMS, KILLS, OPENINGS, PEOPLE = 2_000, 20, 60, 4
PATIENCE_SECONDS = 300.0


@dataclass
class Machine:
    """A service with a home of its own, at one address before and after it was killed."""

    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "serving", "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {**os.environ, **self.environment, "TESSERA_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)

    def wait(self) -> None:
        wait_until_ready(self.process, f"{self.url}/readyz")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Crowd:
    """People who open one item after another until they are stopped, and what was acknowledged to each."""

    def __init__(self, machines: list[Machine], number: int) -> None:
        self.opened: dict[str, list[str]] = {f"person-{number}-{place}": [] for place in range(PEOPLE)}
        self.models: set[str] = set()
        self._urls = [machine.url for machine in machines]
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._open_items, args=(person, place))
            for place, person in enumerate(self.opened)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def acknowledged(self) -> int:
        return sum(map(len, self.opened.values()))

    def wait(self, openings: int) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while self.acknowledged < openings and time.monotonic() < until:
            time.sleep(0.01)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _open_items(self, person: str, place: int) -> None:
        turn, number = place, 0
        with ExitStack() as stack:
            clients = [
                stack.enter_context(httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)) for url in self._urls
            ]
            while not self._stopped.is_set():
                client = clients[turn % len(clients)]
                event = {"event_type": "page_view", "user_id": person, "item_id": f"i{number}"}
                event["event_id"] = f"{person}-{number}"
                try:
                    if client.post("/v1/events", json={"events": [event]}).status_code != 202:
                        raise httpx.TransportError("not taken")
                    self.opened[person].append(event["item_id"])
                    number += 1
                    answer = client.post("/v1/recommendations", json={"user_id": person, "slot": "home"})
                    if answer.status_code == 200:
                        self.models.add(answer.json()["model_version"])
                except httpx.TransportError:  # killed: the other machine takes the same event again
                    turn += 1
                    time.sleep(0.05)


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the kills."""
    from tests.s3_server import CREDENTIALS, run_s3

    kills = max(2, round(KILLS * size))
    users, items = factors(ITEMS)
    with tempfile.TemporaryDirectory() as folder, run_s3() as s3:
        root = Path(folder)
        (root / "redis").mkdir()
        redis = RedisProcess(root / "redis")
        address = f"s3://{s3.make_bucket()}/site"
        machines = _machines(
            root, address, {**CREDENTIALS, "AWS_ENDPOINT_URL": s3.url, "TESSERA_REDIS_URL": redis.url}
        )
        store, published = ObjectStore(address), root / "pipeline" / "published"
        waits, wrong, opened, models = [], 0, {}, set()
        try:
            publish(published, users, items, "v0", "m0")
            store.share(published, [])
            for machine in machines:
                machine.start()
            for machine in machines:
                machine.wait()
            for number in range(1, kills + 1):
                crowd, victim = Crowd(machines, number), machines[number % 2]
                crowd.wait(OPENINGS // 3)
                publish(published, users, items, f"v{number}", f"m{number}")
                store.share(published, [])
                crowd.wait(2 * OPENINGS // 3)
                victim.kill()
                crowd.wait(OPENINGS)
                started = time.perf_counter()
                victim.start()
                victim.wait()
                waits.append(time.perf_counter() - started)
                crowd.stop()
                models |= crowd.models
                wrong += sum(
                    not _is_right(machine.url, person, expected)
                    for machine in machines
                    for person, expected in crowd.opened.items()
                )
                opened |= crowd.opened
            behind = sum(not _answers_from(machine.url, f"m{kills}") for machine in machines)
        finally:
            for machine in machines:
                machine.kill()
            redis.stop(is_kept=False)
        lost, twice = _compare_logs([machine.home for machine in machines], opened)
    rows = sum(map(len, opened.values()))
    yield Figure("service_machines", max(waits), f"s until ready, worst of {kills} kills", rows=rows)
    yield Figure("service_machines", wrong, "states of people that were wrong on a machine", rows=rows)
    yield Figure("service_machines", lost, "acknowledged events that are in no log", rows=rows)
    yield Figure("service_machines", twice, "acknowledged events that are in a log twice", rows=rows)
    yield Figure(
        "service_machines", behind, "machines that do not answer from the newest bundle", rows=len(models)
    )


def _machines(root: Path, address: str, environment: dict[str, str]) -> list[Machine]:
    """Two machines with the same key, whose site shares its state and its bundles."""
    site = root / "site"
    site.mkdir()
    settings = {
        "serving": {"state": {"engine": "redis"}, "bundle_check_seconds": 0.5},
        "storage": {"bundles": address},
    }
    (site / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    homes = [root / "here", root / "there"]
    Pseudonyms(homes[0]).fingerprint()
    homes[1].mkdir()
    for name in ("site.key", "site.key.check"):
        shutil.copy2(homes[0] / name, homes[1] / name)
    return [Machine(home, {**environment, "TESSERA_SITE": str(site)}) for home in homes]


def _is_right(url: str, person: str, expected: list[str]) -> bool:
    """Whether the newest items of a person are those that were acknowledged, each once."""
    recent = httpx.get(f"{url}/v1/users/{person}", timeout=PATIENCE_SECONDS).json().get("recent", [])
    seen = [entry["item_id"] for entry in recent][::-1]
    last = expected[-len(seen) :] if seen else expected
    unsure = f"i{len(expected)}"  # on its way when the crowd was stopped
    return [item for item in seen if item != unsure] == [item for item in last if item != unsure][-len(seen) :]


def _answers_from(url: str, model: str) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = httpx.post(f"{url}/v1/recommendations", json={"user_id": "u1"}, timeout=PATIENCE_SECONDS)
        if answer.status_code == 200 and answer.json()["model_version"] == model:
            return True
        time.sleep(0.2)
    return False


def _compare_logs(homes: list[Path], opened: dict[str, list[str]]) -> tuple[int, int]:
    """Count the acknowledged events that no log has, and those that one log has twice."""
    expected = {f"{person}-{item[1:]}" for person, items in opened.items() for item in items}
    logged = [
        [row for batch in read_all_events(EventLog(Home(home))) for row in batch["event_id"].to_pylist()]
        for home in homes
    ]
    twice = sum(len(ids) - len(set(ids)) for ids in logged)
    return len(expected - set().union(*logged)), twice
