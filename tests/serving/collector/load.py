"""A load on the collector over real sockets, from a process of its own: `python load.py PORT …`."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid


def body_of(events: int) -> bytes:
    """A request of page views and clicks as a site sends them, each with an id of its own."""
    now = time.time()
    rows = [
        {
            "event_id": uuid.uuid4().hex,
            "event_type": "page_view" if index % 2 else "click",
            "occurred_at": now,
            "anonymous_id": f"visitor-{index}",
            "session_id": f"session-{index}",
            "item_id": f"item-{index % 500}",
            "page_url": f"https://shop.example/items/item-{index % 500}?utm_source=letter",
            "page_title": "A page",
            "referrer": "https://www.google.com/",
            "language": "en-GB",
            "screen_width": 1440,
            "screen_height": 900,
            "properties": {"scroll_depth": 40, "slot": "home", "position": index},
        }
        for index in range(events)
    ]
    return json.dumps({"events": rows}).encode()


def request_of(body: bytes) -> bytes:
    """The bytes of a POST of `body`."""
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, batch: int, connections: int, seconds: float, per_second: float) -> dict[str, object]:
    """Post batches over keep-alive connections, `per_second` requests in all (0: as fast as answered)."""
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    bodies = [request_of(body_of(batch)) for _ in range(max(8, min(400, 20_000 // batch)))]

    async def connection(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        pause = connections / per_second if per_second else 0.0
        due = time.perf_counter() + pause * number / connections
        turn = number
        while time.perf_counter() < end:
            if pause:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            began = due if pause else time.perf_counter()
            due += pause
            writer.write(bodies[turn % len(bodies)])
            turn += connections
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            status = head[9:12].decode()
            statuses[status] = statuses.get(status, 0) + 1
            latencies.append(time.perf_counter() - began)
        writer.close()

    started = time.perf_counter()
    end = started + seconds
    await asyncio.gather(*(connection(number) for number in range(connections)))
    took = time.perf_counter() - started
    latencies.sort()
    return {
        "requests": len(latencies),
        "events_per_second": statuses.get("202", 0) * batch / took,
        "statuses": statuses,
        "p50_ms": 1_000 * latencies[len(latencies) // 2],
        "p99_ms": 1_000 * latencies[int(len(latencies) * 0.99)],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--per-second", type=float, default=0.0)
    given = parser.parse_args()
    found = asyncio.run(load(given.port, given.batch, given.connections, given.seconds, given.per_second))
    print(json.dumps(found))
