"""A steady load on a collector: visits of a shop, and the time at which each batch was acknowledged."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import threading
import time
from typing import Any

BATCH = 50
TYPES = ("page_view", "click", "page_view", "scroll", "page_view", "add_to_cart", "page_view", "purchase")


def visit_event(number: int) -> dict[str, Any]:
    """One of the events of 300 visitors, of whom each third has an account."""
    visitor, event_type = number % 300, TYPES[number // 300 % len(TYPES)]
    event: dict[str, Any] = {
        "event_id": f"visit-{number}",
        "event_type": event_type,
        "anonymous_id": f"device-{visitor}",
        "session_id": f"session-{visitor}-{number // 6000}",
        "item_id": f"item-{number * 7 % 40}",
        "page_url": f"https://shop.example/items/item-{number * 7 % 40}?utm_source=letter",
        "occurred_at": time.time(),
    }
    if visitor % 3 == 0:
        event["user_id"] = f"user-{visitor}"
    if event_type == "purchase":
        event |= {"value": 5.0 + number % 20, "properties": {"currency": "EUR", "order_id": f"order-{number}"}}
    return event


class SteadyLoad:
    """A thread that posts batches at a steady pace; leave the block to stop it.

    Attributes:
        acknowledged: The time at which each batch was answered with 202, and the ids of its events.
    """

    def __init__(self, port: int, events_per_second: float) -> None:
        self.acknowledged: list[tuple[dt.datetime, list[str]]] = []
        self._port = port
        self._pause = BATCH / events_per_second
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> SteadyLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    @property
    def events(self) -> int:
        """Number of events that were acknowledged."""
        return sum(len(ids) for _, ids in self.acknowledged)

    def wait_for(self, events: int, seconds: float = 120.0) -> None:
        """Wait until so many events in all were acknowledged.

        Raises:
            TimeoutError: They were not, within the time.
        """
        deadline = time.monotonic() + seconds
        while self.events < events and self._thread.is_alive():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.events} of {events} events were acknowledged")
            time.sleep(0.02)

    def acknowledged_before(self, mark: dt.datetime) -> set[str]:
        """Return the ids of the events that were acknowledged before a time."""
        return {event_id for at, ids in self.acknowledged if at < mark for event_id in ids}

    def _send(self) -> None:
        try:
            self._post_batches()
        except Exception as failure:
            self._failure = failure

    def _post_batches(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        number, due = 0, time.monotonic()
        while not self._stop.is_set():
            batch = [visit_event(number + row) for row in range(BATCH)]
            connection.request("POST", "/v1/events", json.dumps({"events": batch}))
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 202 or body["accepted"] != BATCH:
                raise RuntimeError(f"a batch was answered with {answer.status}: {body}")
            self.acknowledged.append((dt.datetime.now(dt.UTC), [event["event_id"] for event in batch]))
            number, due = number + BATCH, due + self._pause
            self._stop.wait(max(0.0, due - time.monotonic()))
        connection.close()
