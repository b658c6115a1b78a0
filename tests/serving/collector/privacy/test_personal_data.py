"""The work on texts: what is recognized as an address, and at what cost."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from re import _constants, _parser  # type: ignore[attr-defined]

import httpx
from hypothesis import given
from hypothesis import strategies as st

from serving.collector.app import collector_app
from serving.collector.privacy.personal_data import EMAIL, PiiRules, redact_text
from tests.serving.collector.collecting import Site, settings_with

# The plain definition of an address, whose cost does not matter here.
PLAIN = re.compile(r"[A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
RULES = PiiRules("hash", "keep", "keep", frozenset(), frozenset(), frozenset())
like_addresses = st.text(alphabet="ab@%40.- ", max_size=60)


@given(like_addresses)
def test_every_address_is_recognized(text):
    assert (EMAIL.search(text) is None) == (PLAIN.search(text) is None)
    assert PLAIN.search(redact_text(text, RULES, lambda _: "<>")) is None


def test_an_address_is_replaced_as_a_whole():
    text = "to=ann.b+c%40shop.example&x=1 bob@a.b, x@y and me@z.de."
    assert redact_text(text, RULES, lambda address: f"<{address}>") == (
        "to=<ann.b+c@shop.example>&x=1 <bob@a.b>, x@y and <me@z.de>."
    )


def test_no_quantifier_of_the_pattern_gives_anything_back():
    """Possessive quantifiers and a fixed beginning make the steps proportional to the length of the text."""

    def repeats(tree):
        for operation, argument in tree:
            if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
                yield operation
            for part in argument if isinstance(argument, tuple) else ():
                if isinstance(part, _parser.SubPattern):
                    yield from repeats(part)
                elif isinstance(part, list):
                    for branch in part:
                        yield from repeats(branch) if isinstance(branch, _parser.SubPattern) else ()

    found = list(repeats(_parser.parse(EMAIL.pattern)))
    assert len(found) == 4
    assert set(found) == {_constants.POSSESSIVE_REPEAT}
    assert EMAIL.pattern.startswith("(?:(?<!"), "a match begins only where a run of characters does"


def test_a_heavy_request_is_worked_on_beside_the_event_loop(tmp_path):
    """The other requests are answered while texts that look like addresses are searched."""
    text = ("a" * 64 + "@" + "b" * 63 + " ") * 120
    events = [
        {"event_type": "click", "anonymous_id": "a", "properties": {str(n): text for n in range(10)}}
        for _ in range(45)
    ]
    body = gzip.compress(json.dumps({"events": events}).encode())
    assert len(body) < 70_000
    app = collector_app(Site(tmp_path / "home").home, settings_with())

    async def run():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
                heavy = asyncio.create_task(client.post("/v1/events", content=body, headers=headers))
                answered = 0
                while not heavy.done():
                    assert (await client.get("/livez")).status_code == 200
                    answered += 1
                    await asyncio.sleep(0)
                return heavy.result(), answered

    answer, answered = asyncio.run(run())
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == 45
    assert answered > 10


def test_a_request_of_too_many_values_is_refused(tmp_path):
    site = Site(tmp_path / "home", settings_with(collector={"max_values": 1_000}))
    event = {"event_type": "click", "anonymous_id": "a"}
    full = {**event, "properties": {"list": list(range(900))}}
    answer = site.send("/v1/events", {"events": [full]})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    answer = site.send("/v1/events", {"events": [full, full]})
    assert answer.status_code == 400
    assert "more than 1000 values" in answer.json()["error"]["message"]
