"""A service whose rules and experiments use all that is known of a person, and which of its answers show it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from starlette.testclient import TestClient

from ml.bundle import FACTS_WITHOUT_CONSENT
from ml.home import Home
from ml.privacy.person_key import person_key
from ml.settings import Settings
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera

CONTEXTS: tuple[Mapping[str, Any], ...] = (
    {},
    {"device_type": "mobile", "country": "DE", "language": "de"},
    {"device_type": "desktop", "country": "BR", "timezone": "America/Sao_Paulo"},
)
RULES = {
    "rules": [
        {"id": "class", "slots": ["hero"], "when": "has(user.engagement_class)", "then": {"banner": "your-class"}},
        {"id": "segment", "slots": ["hero"], "when": "has(user.segment)", "then": {"offer": "your-segment"}},
        {"id": "visits", "slots": ["hero"], "when": "recent.opened > 0", "then": {"content": "welcome-back"}},
        *(
            {
                "id": f"more-{topic}",
                "when": f'"{topic}" in recent.categories',
                "then": {"boost": [{"topic": topic, "by": 2.0}]},
            }
            for topic in ("sport", "food", "politics", "travel", "home", "fashion")
        ),
    ]
}


def experiment(slot: str, targeting: str, start: dt.datetime) -> dict[str, Any]:
    """The definition of an experiment that changes what a slot shows to those whom it targets."""
    return {
        "hypothesis": "What is known of a person decides who takes part.",
        "unit": "user",
        "variants": {"control": {"share": 0.5}, "treatment": {"share": 0.5, "payload": {"content": "treated"}}},
        "slots": [slot],
        "targeting": targeting,
        "primary_metric": "clicks_per_user",
        "minimum_detectable_effect": 0.05,
        "starts_at": start.isoformat(),
        "ends_at": (start + dt.timedelta(days=60)).isoformat(),
    }


EXPERIMENTS = {
    "by-class": "has(engagement_class)",
    "by-segment": "has(segment)",
    "by-views": "page_views > 0",
    "by-taste": "has(top_category)",
}
"""By experiment: who takes part."""


@dataclass(frozen=True)
class Person:
    """Somebody whom requests name by `field`: user_id or anonymous_id."""

    field: str
    id: str


class PersonalService:
    """A client of a service, and what people refused in it."""

    def __init__(self, client: TestClient, tessera: Tessera) -> None:
        self.client = client
        self._tessera = tessera

    def refused_items(self, person: Person) -> list[str]:
        """Return the items that the person rejected: that is their own word, which holds without consent."""
        activity = self._tessera.state.activity
        ids = {"user_id": None, "anonymous_id": None, person.field: person.id}
        visitor = activity.find_visitor(person_key(**ids) or "")
        return sorted(activity.items[key] for key in visitor.rejected) if visitor else []


@contextmanager
def personal_service(home: Home, site: Path, settings: Settings, now: dt.datetime) -> Iterator[PersonalService]:
    """Answer by rules and experiments that use what is known of people, and draw nothing by chance.

    Args:
        home: A home with a published version.
        site: The folder of the site; its rules and experiments are written.
        settings: The settings of the site.
        now: The clock of the service.
    """
    (site / "rules.yaml").write_text(yaml.safe_dump(RULES), encoding="utf-8")
    started = now - dt.timedelta(days=1)
    definitions = {
        "version": 1,
        "experiments": {
            name: experiment(slot, targeting, started)
            for slot, (name, targeting) in zip(("hero", "side", "top", "foot"), EXPERIMENTS.items(), strict=True)
        },
    }
    (site / "experiments.yaml").write_text(yaml.safe_dump(definitions), encoding="utf-8")
    decisions = settings.decisions
    diversity = decisions.diversity.model_copy(update={"exploration_share": 0.0})
    calm = settings.model_copy(
        update={
            "decisions": decisions.model_copy(update={"diversity": diversity}),
            "serving": settings.serving.model_copy(update={"budget_ms": 60_000.0}),
        }
    )
    config = ServiceConfig(home=Home(home.path, site=site), settings=calm, bundled=home.path / "no-bento")
    tessera = Tessera(config, clock=lambda: now, seed=1)
    with TestClient(application(tessera)) as client:
        yield PersonalService(client, tessera)


def name_people(people: Iterable[str], events: pd.DataFrame) -> list[Person]:
    """Return people as requests name them: those with a user id by it."""
    known = set(events["user_id"].dropna())
    return [Person("user_id" if person in known else "anonymous_id", person) for person in people]


def send_newcomers(service: PersonalService, count: int, items: Sequence[str]) -> list[Person]:
    """Let people come after the version was published, who open and buy these items without any consent."""
    people = [Person("user_id" if n % 2 else "anonymous_id", f"newcomer-{n}") for n in range(count)]
    for n, person in enumerate(people):
        opened = [
            {
                "event_type": kind,
                person.field: person.id,
                "item_id": items[(7 * n + i) % len(items)],
                "consent": [],
            }
            for i, kind in enumerate(("page_view", "click", "page_view", "like", "purchase"))
        ]
        reply = service.client.post("/v1/events", json={"events": opened}).json()
        if reply["rejected"]:
            raise AssertionError(reply)
    return people


def count_personal_answers(service: PersonalService, people: Iterable[Person]) -> Counter[str]:
    """Count the people to whom a route answers otherwise than to a stranger in the same situation, by route.

    The stranger refuses the items that the person refused.
    """
    found: Counter[str] = Counter()
    for number, person in enumerate(people):
        context = CONTEXTS[number % len(CONTEXTS)]
        found.update(routes_that_know(service, person, Person(person.field, f"nobody-{number}"), context))
    return found


def routes_that_know(
    service: PersonalService, person: Person, stranger: Person, context: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the routes whose answer shows that the service uses something of the person."""
    client, refused = service.client, service.refused_items(person)
    for slot in ("home", "hero"):
        mine, theirs = (recommend(client, who, slot, context, refused) for who in (person, stranger))
        if mine != theirs or mine["personalized"] or mine.get("segment"):
            yield "recommendations"
            break
    if decide(client, person, context) != decide(client, stranger, context):
        yield "decisions"
    for name in EXPERIMENTS:
        if assign(client, person, name) != assign(client, stranger, name):
            yield "experiments"
            break
    if person.field == "user_id":
        if describes(client.get(f"/v1/users/{person.id}").json()):
            yield "profile"
        questions = [client.get("/v1/onboarding", params={"user_id": who.id}).json() for who in (person, stranger)]
        if questions[0] != questions[1]:
            yield "onboarding"


def recommend(
    client: TestClient, person: Person, slot: str, context: Mapping[str, Any], exclude: Sequence[str]
) -> dict[str, Any]:
    """The answer without its own id."""
    body = {person.field: person.id, "k": 10, "slot": slot, "context": context, "exclude": exclude}
    reply: dict[str, Any] = client.post("/v1/recommendations", json=body).json()
    del reply["recommendation_id"]
    return reply


def decide(client: TestClient, person: Person, context: Mapping[str, Any]) -> dict[str, Any]:
    """The decision without its own id."""
    body = {person.field: person.id, "slot": "hero", "context": context}
    reply: dict[str, Any] = client.post("/v1/decisions", json=body).json()
    del reply["decision_id"]
    return reply


def assign(client: TestClient, person: Person, name: str) -> tuple[bool, str]:
    """Whether the person takes part in an experiment, and why."""
    query = {"user_id": person.id, "expose": "false"}
    reply = client.get(f"/v1/experiments/{name}/assignment", params=query).json()
    return reply["variant"] is not None, reply["reason"]


def describes(profile: dict[str, Any]) -> bool:
    """Whether a profile holds anything from which a page could be made personal."""
    if "error" in profile:
        return False
    facts = set(profile["facts"]) - FACTS_WITHOUT_CONSENT
    kept = [profile[name] for name in ("segment", "persona", "memberships", "daypart", "is_personalized")]
    return bool(facts or any(kept))
