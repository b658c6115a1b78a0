"""A stranger with the browser key, step by step, against a model of what such a key may see and change.

The model is short: what the site's server reads about its users stays as it was before the stranger came, nothing
is answered with a 5xx, the routes of a secret key stay shut, and all of it still holds after a restart.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from access_keys import BROWSER, KEYS, SECRET
from bundles import publish
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from starlette.testclient import TestClient

from ml.events.contract import CONSENT_PURPOSES, EVENT_TYPES, FIELD_NAMES
from ml.home import Home
from ml.settings import load_settings
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera

VICTIMS = ("ann", "bob")
SECRET_ROUTES = (
    *((method, f"/v1/users/{user}{end}") for user in VICTIMS for method, end in (("GET", ""), ("GET", "/export"))),
    *(("DELETE", f"/v1/users/{user}") for user in VICTIMS),
    ("GET", "/v1/models"),
    ("GET", "/v1/online-learning"),
    ("POST", "/v1/online-learning/revert"),
)
TEXTS = st.sampled_from(["i0", "i5", "nothing", "home", "sport", "é", "\x00", "../x", "ann", "1e400", "x" * 3_000])
IDS = st.sampled_from([*VICTIMS, "stranger", "other", "user:ann", "anonymous:ann", "caller:ann", "", "a/b", "::1"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    TEXTS, IDS,
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | IDS, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["purposes", "opt_out", "interests", "muted", "quiet_hours", "items", "slot", "channel", "segment", "agrees",
     "authority", "claimed_user_id", "suspected", "page_view_id", "variant", "rank"]
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {"event_type": st.sampled_from([*EVENT_TYPES, "custom:odd"]), "anonymous_id": IDS},
    optional={
        "user_id": IDS,
        "item_id": TEXTS,
        "session_id": IDS,
        "value": LEAVES,
        "consent": st.lists(st.sampled_from(CONSENT_PURPOSES), unique=True),
        "properties": st.dictionaries(NAMES, VALUES, max_size=4),
        "recommendation_id": IDS,
        "experiment_id": IDS,
        "occurred_at": st.sampled_from(
            ["2026-03-02T11:59:00Z", "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", 0]
        ),
    },
) | st.dictionaries(st.sampled_from(FIELD_NAMES), VALUES, max_size=6)
REQUESTS = st.fixed_dictionaries(
    {"anonymous_id": IDS},
    optional={
        "k": st.sampled_from([0, 1, 3, 50, 10**9, "3", None]),
        "slot": TEXTS,
        "session_id": IDS,
        "user_id": IDS,
        "context": st.dictionaries(
            st.sampled_from(["page_url", "item_id", "country", "language", "timezone", "latitude", "longitude",
                             "device_type", "battery", "motion", "weather", "odd"]), VALUES, max_size=4,
        ),
        "exclude": VALUES,
        "filter": VALUES,
    },
)  # fmt: skip


class BrowserKeyMachine(RuleBasedStateMachine):
    """A service with keys and a bundle that knows ann and bob; every rule is one thing that a stranger does."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.home = Home(Path(self.folder.name) / "home")
        publish(
            self.home.published,
            interactions=pa.table({"user_id": list(VICTIMS), "item_id": ["i0", "i5"]}),
        )
        self.open()
        for user, item in zip(VICTIMS, ("i1", "i6"), strict=True):
            event = {
                "event_type": "page_view",
                "user_id": user,
                "item_id": item,
                "consent": list(CONSENT_PURPOSES),
            }
            assert self.client.post("/v1/events", json={"events": [event]}, headers=SECRET).status_code == 202
        self.before = self.read_victims()
        assert all(profile["recent"] for profile, _ in self.before.values())

    def open(self) -> None:
        """Start the service over the home as it lies."""
        config = ServiceConfig(home=self.home, settings=load_settings(), bundled=Path(self.folder.name) / "none")
        self.client = TestClient(
            application(Tessera(dataclasses.replace(config, keys=KEYS), seed=1)), raise_server_exceptions=False
        )
        self.client.__enter__()

    def read_victims(self) -> dict[str, tuple[Any, Any]]:
        """What the site's server reads of each user: the profile, and the segment of an answer."""
        seen = {}
        for user in VICTIMS:
            profile = self.client.get(f"/v1/users/{user}", headers=SECRET)
            answer = self.client.post("/v1/recommendations", json={"user_id": user, "k": 3}, headers=SECRET)
            assert (profile.status_code, answer.status_code) == (200, 200), (profile.text, answer.text)
            # What is recommended follows what everybody opens, the stranger included.
            facts = {name: value for name, value in profile.json().items() if name != "items"}
            seen[user] = (facts, answer.json().get("segment"))
        return seen

    def post(self, path: str, body: Any, headers: dict[str, str] = BROWSER) -> int:
        """Send JSON and return the status, which is not one of the server's own failures."""
        answer = self.client.post(
            path, content=json.dumps(body), headers=headers | {"Content-Type": "application/json"}
        )
        assert answer.status_code < 500, (path, body, answer.text)
        assert "Traceback" not in answer.text
        return answer.status_code

    @rule(events=st.lists(EVENTS, min_size=1, max_size=4))
    def send_events(self, events: list[dict[str, Any]]) -> None:
        self.post("/v1/events", {"events": events})

    @rule(event=EVENTS, key=st.sampled_from(["/v1/track", "/v1/page", "/v1/identify"]), who=IDS)
    def send_segment_message(self, event: dict[str, Any], key: str, who: str) -> None:
        self.post(key, {"event": "Order Completed", "userId": who, "anonymousId": who, "properties": event})

    @rule(request=REQUESTS, path=st.sampled_from(["/v1/recommendations", "/v1/decisions"]))
    def ask(self, request: dict[str, Any], path: str) -> None:
        self.post(path, request)

    @rule(item=TEXTS, k=st.sampled_from(["1", "0", "-1", "x", "10000000000"]))
    def ask_for_similar_items(self, item: str, k: str) -> None:
        path = "/v1/items/" + item.replace("\x00", "%00") + "/similar"
        answer = self.client.get(path, params={"k": k}, headers=BROWSER)
        assert answer.status_code < 500, answer.text

    @rule(device=IDS)
    def ask_for_a_variant(self, device: str) -> None:
        answer = self.client.get(
            "/v1/experiments/none/assignment", params={"anonymous_id": device}, headers=BROWSER
        )
        assert answer.status_code < 500, answer.text

    @rule(route=st.sampled_from(SECRET_ROUTES))
    def try_what_needs_a_secret_key(self, route: tuple[str, str]) -> None:
        method, path = route
        assert self.client.request(method, path, headers=BROWSER).status_code == 403

    @rule(user=st.sampled_from(VICTIMS), body=st.dictionaries(NAMES, VALUES, max_size=3))
    def try_to_set_preferences(self, user: str, body: dict[str, Any]) -> None:
        answer = self.client.put(f"/v1/users/{user}/preferences", content=json.dumps(body), headers=BROWSER)
        assert answer.status_code in (400, 401, 403, 415), answer.text

    @rule()
    def restart(self) -> None:
        self.client.__exit__(None, None, None)
        self.open()

    @invariant()
    def the_users_are_as_they_were(self) -> None:
        if hasattr(self, "before"):
            assert self.client.get("/readyz").status_code == 200
            now = self.read_victims()
            assert now == self.before, f"{now}\nwas\n{self.before}"

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.client.__exit__(None, None, None)
            self.folder.cleanup()
