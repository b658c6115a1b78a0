"""Malformed requests without end: good ones of each protocol, broken at random places, from a seed.

And a watch on the answers: none may be a 5xx or hold a stack trace, and what is rejected has to be a dead letter.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

EACH = 10  # payloads in a request
NESTED: Any = json.loads("[" * 40 + "]" * 40)
NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63 - 1, -(2**63), 1e308, -0.0, 0.1, "", " ", "0", "-1", "1e400", "NaN",
    "\x00", "a\x00b", "\u202e", "🦊" * 50, "x" * 20_000, "ann@shop.example", "+49 170 1234567",
    "<script>alert(1)",
    "' or 1=1 --", "../../etc/passwd", "2026-02-30", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z",
    "99999999999999999999", [], {}, [[]], [None], {"": None}, [{}] * 20, {"a": {"b": {"c": [1, "2", None]}}},
    NESTED,
)  # fmt: skip
DATA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
ENTITY = {"schema": "iglu:io.tessera/item/jsonschema/1-0-0", "data": {"item_id": "7", "rank": 1}}
UNSTRUCTURED = {
    "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
    "data": {
        "schema": "iglu:io.tessera/event/jsonschema/1-0-0",
        "data": {"event_type": "hover", "value": 300, "item_id": "7"},
    },
}
PLAIN: tuple[dict[str, Any], ...] = (
    {"event_id": "e", "event_type": "page_view", "occurred_at": "2026-01-31T08:00:00Z", "user_id": "u",
     "page_url": "https://shop.example/items/7?utm_source=x", "referrer": "https://www.google.com/", "value": 1.5,
     "screen_width": 800, "country": "DE", "properties": {"slot": "home"}, "consent": ["analytics"]},
    {"event_type": "click", "anonymous_id": "a", "sent_at": 1_700_000_000, "occurred_at": 1_700_000_000,
     "latitude": 52.5, "longitude": 13.4, "user_agent": "Mozilla/5.0", "client_hints": {"brands": []}},
)  # fmt: skip
SNOWPLOW: tuple[dict[str, Any], ...] = (
    {
        "e": "pv",
        "eid": "e",
        "dtm": "1700000000000",
        "stm": "1700000000100",
        "duid": "d",
        "res": "800x600",
        "url": "/",
    },
    {"e": "pp", "duid": "d", "aid": "shop", "vp": "800x600", "ds": "800x3000", "pp_may": "600"},
    {"e": "se", "uid": "u", "se_ca": "shop", "se_ac": "add", "se_va": "2"},
    {"e": "ue", "duid": "d", "ue_pr": json.dumps(UNSTRUCTURED), "co": json.dumps({"data": [ENTITY]})},
    {"e": "ti", "duid": "d", "ti_id": "o", "ti_sk": "7", "ti_pr": "3.5", "ti_qu": "2"},
)
SEGMENT: tuple[dict[str, Any], ...] = (
    {"type": "track", "userId": "u", "event": "Order Completed", "messageId": "m", "timestamp": "2026-01-31",
     "properties": {"products": [{"product_id": "7", "price": 3, "quantity": 2}], "revenue": 6}},
    {"type": "page", "anonymousId": "a", "name": "Home", "properties": {"url": "https://shop.example/"},
     "context": {"userAgent": "Mozilla/5.0", "ip": "8.8.8.8", "screen": {"width": 8}, "campaign": {"name": "x"}}},
    {"type": "identify", "userId": "u", "traits": {"email": "ann@shop.example"}},
    {"type": "alias", "userId": "u", "previousId": "a"},
)  # fmt: skip
PROTOCOLS = (
    ("/v1/events", "events", PLAIN, {}),
    ("/com.snowplowanalytics.snowplow/tp2", "data", SNOWPLOW, {"schema": DATA}),
    ("/v1/batch", "batch", SEGMENT, {"sentAt": "2026-01-31T08:00:00Z"}),
)


@dataclass(frozen=True)
class Malformed:
    """A request: GET with `query` where there is one, else POST of `body`."""

    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] | None = None


def malformed_requests(payloads: int, seed: int) -> Iterator[Malformed]:
    """Requests with so many broken payloads in all; every eighth is broken as a whole."""
    draw = random.Random(seed)
    for number in range(-(-payloads // EACH)):
        path, name, examples, envelope = draw.choice(PROTOCOLS)
        broken = [_broken(copy.deepcopy(draw.choice(examples)), draw) for _ in range(EACH)]
        body = json.dumps({**envelope, name: broken}).encode()
        if path.endswith("tp2") and draw.random() < 0.2:
            flat = broken[0] if isinstance(broken[0], dict) else {}
            yield Malformed("/i", query={str(key)[:50]: str(value)[:2_000] for key, value in flat.items()})
        elif number % 8:
            yield Malformed(path, body, {"Content-Type": "application/json"})
        else:
            yield _broken_as_a_whole(path, body, draw)


def _broken(value: Any, draw: random.Random) -> Any:
    for _ in range(draw.randint(1, 3)):
        value = _with_one_fault(value, draw)
    return value


def _with_one_fault(value: Any, draw: random.Random) -> Any:
    """A fault at a random depth: another value, a field less, or a field too many."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        name = draw.choice(list(value))
        fault = draw.random()
        if fault < 0.2:
            del value[name]
        elif fault < 0.35:
            value[str(draw.choice(NASTY))[:200]] = copy.deepcopy(draw.choice(NASTY))
        else:
            value[name] = _with_one_fault(value[name], draw)
        return value
    if isinstance(value, list) and value and draw.random() < 0.7:
        place = draw.randrange(len(value))
        value[place] = _with_one_fault(value[place], draw)
        return value
    if isinstance(value, str) and value.startswith("{") and draw.random() < 0.7:
        return json.dumps(_with_one_fault(json.loads(value), draw))
    return copy.deepcopy(draw.choice(NASTY))


def _broken_as_a_whole(path: str, body: bytes, draw: random.Random) -> Malformed:
    headers = {"Content-Type": draw.choice(["application/json", "text/plain", "application/xml", ""])}
    kind = draw.randrange(6)
    if kind == 0:
        body = body[: draw.randrange(len(body))]
    elif kind == 1:
        place = draw.randrange(len(body))
        body = body[:place] + draw.randbytes(draw.randint(1, 30)) + body[place:]
    elif kind == 2:
        body = json.dumps(draw.choice(NASTY)).encode()
    elif kind == 3:
        headers["Content-Encoding"] = draw.choice(["gzip", "br", "nonsense"])
    elif kind == 4:
        packed = gzip.compress(body)
        body = draw.choice([packed[: len(packed) // 2], gzip.compress(b"0" * 20_000_000, 1)])
        headers["Content-Encoding"] = "gzip"
    else:
        headers["Authorization"] = draw.choice(["Basic ???", "Bearer ", "Digest x", "Basic " + "x" * 5_000])
    return Malformed(path, body, headers)


class Watched:
    """A collector at an address, and what it said about the events that it rejected."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rejections: Counter[str] = Counter()
        self.pixels = 0  # answers that have no room for rejections
        self._session = requests.Session()

    def send(self, request: Malformed) -> requests.Response:
        """Send a request and check the answer."""
        method = "POST" if request.query is None else "GET"
        answer = self._session.request(
            method, self.url + request.path, data=request.body, headers=request.headers, params=request.query
        )
        self.check(answer.status_code, answer.content)
        return answer

    def check(self, status: int, content: bytes) -> None:
        """Hold an answer against what no answer may be, and remember its rejections."""
        assert status < 500, content
        assert b"Traceback" not in content
        if content.startswith(b"GIF"):
            self.pixels += 1
        elif status in (200, 202):
            self.rejections.update(rejection["error"] for rejection in json.loads(content)["rejected"])

    def compare(self, letters: Sequence[Mapping[str, Any]]) -> None:
        """Hold the dead letters against what was told rejected, each with its reason."""
        kept = Counter(f"{letter['field']}: {letter['reason']}" for letter in letters)
        assert self.rejections - kept == Counter()
        assert (kept - self.rejections).total() <= self.pixels
