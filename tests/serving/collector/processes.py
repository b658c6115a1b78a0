"""A collector in a process of its own, and senders that try each batch again until it is acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
START_SECONDS = 60
BATCH = 10


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class CollectorProcess:
    """`uvicorn` with the collector's application; a block's end terminates it and waits for the sealing.

    `environment` is added to that of this process.

    Raises:
        RuntimeError: it did not answer within START_SECONDS.
    """

    def __init__(self, home: Path, port: int | None = None, **environment: str) -> None:
        self.home = home
        self.port = port or free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", "serving.collector.app:from_environment"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--log-level", "warning", "--no-access-log", "--no-proxy-headers",
             "--timeout-keep-alive", "60"],  # a starved client may take longer than uvicorn's five seconds
            cwd=CHECKOUT, env={**os.environ, "TESSERA_HOME": str(home), **environment},
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the collector did not start within {START_SECONDS} s")

    def __enter__(self) -> CollectorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Senders:
    """Threads that post batches of clicks; leave the block to stop them.

    Attributes:
        acknowledged: ids of events that were answered with 202.
        resent: ids of events that were posted more than once, for want of an answer.
    """

    def __init__(self, port: int, threads: int = 4, batch: int = BATCH) -> None:
        self.acknowledged: set[str] = set()
        self.resent: set[str] = set()
        self.requests = 0
        self._port = port
        self._batch = batch
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests in all were acknowledged.

        Raises:
            TimeoutError: they were not, within START_SECONDS.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.requests < requests:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.requests} of {requests} requests were acknowledged")
            time.sleep(0.005)

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._stop.is_set():
            ids = [uuid.uuid4().hex for _ in range(self._batch)]
            events = [{"event_id": one, "event_type": "click", "anonymous_id": "a"} for one in ids]
            body = json.dumps({"events": events})
            while not self._is_taken(connection, body):
                self.resent.update(ids)
                if self._stop.wait(0.02):
                    return
            self.acknowledged.update(ids)
            self.requests += 1

    def _is_taken(self, connection: http.client.HTTPConnection, body: str) -> bool:
        try:
            connection.request("POST", "/v1/events", body)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):  # killed under us
            connection.close()
            return False
        return answer.status == 202


def send_through_kills(home: Path, times: int, seed: int = 5) -> Senders:
    """Senders that posted while the collector was killed `times` times, each at a random moment under load."""
    port, pauses = free_port(), random.Random(seed)
    with Senders(port) as senders:
        for _ in range(times):
            collector = CollectorProcess(home, port)
            senders.wait_for(senders.requests + 8)
            time.sleep(pauses.uniform(0.0, 0.3))
            collector.kill()
    return senders
