"""The page People: one visitor under a pseudonym, what is known of them and why, and what they may ask for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from ml.privacy.person_key import ids_of_key
from serving.console.formats import format_percent
from serving.console.localized_texts import Sentences, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Card, Cell, ConsolePage, Form, FormField, LatePart, Sheet
from serving.console.service_pages.people_directory import ID_TYPES, LookLog, describe_id
from serving.errors import ApiError
from serving.privacy.export import find_ids_of, read_events_of
from serving.privacy.person_description import describe_user, find_item_titles
from serving.privacy.personalization import find_consent

EVENTS_SHOWN = 300
LOOKS_SHOWN = 50
DETAILS = ("experiment_id", "item_id", "page_title", "page_url")


def look_up_form(page: str) -> Form:
    """Return the form that finds a person by id; the id goes into no address."""
    fields = (
        FormField("user_id", "Id", hint=say("as the site sends it"), is_required=True),
        FormField("id_type", "It names a", options=list(ID_TYPES.items())),
    )
    note = "The id is kept out of addresses and logs; from here on, a pseudonym stands for the person."
    return Form("look-up", "Find a person", f"/console/{page}/look-up", fields, "Look up", note, changes=True)


async def ask_person(question: ServiceQuestion) -> dict[str, Any]:
    """Ask what the service holds of the person whom the address names, and log the look.

    Raises:
        ApiError: 404, nobody has the pseudonym, or the service holds nothing of the person.
    """
    tessera, pseudonym = question.tessera, question.query.get("person", "")
    looks = LookLog(tessera.config.home)
    if not pseudonym:
        tessera.catch_up()
        return {"recent": question.people.recent(), "looks": looks.newest(LOOKS_SHOWN)}
    key = await question.people.find_key(pseudonym)
    shows_id = question.query.get("id") == "shown"
    looks.record(question.reader, "saw the id" if shows_id else "looked", pseudonym, tessera.clock())
    user_id, anonymous_id = ids_of_key(key)
    description = describe_user(tessera, user_id or anonymous_id or "", key)
    if description is None:
        raise ApiError(404, "the service holds nothing of this person, or they were erased", "person")
    consent = find_consent(tessera.state, tessera.champion, (key,))
    visitor = tessera.champion.find_visitor(key, tessera.state.activity)
    return {
        "pseudonym": pseudonym,
        "id": describe_id(key) if shows_id else "",
        "description": description,
        "consent": _describe_consent(consent, description["preferences"]),
        "stated_at": consent.stated_at if consent.has_statement else None,
        "last_at": visitor.last_at if visitor is not None else 0.0,
        "titles": find_item_titles(
            tessera, [item["item_id"] for item in (*description["recent"], *description["items"])]
        ),
    }


def build_person(request: PageRequest) -> ConsolePage:
    """Build the page of a person, or the list of the latest visitors."""
    answer = request.answer
    if answer is None:
        return ConsolePage(forms=[look_up_form("people")], fault=request.fault)
    if "description" not in answer:
        return _build_list(request, answer)
    described, pseudonym = answer["description"], answer["pseudonym"]
    name = answer["id"] or say("Person {pseudonym}", pseudonym=pseudonym[:8])
    cards = [
        Card("Person", name, "the id is hidden" if not answer["id"] else "this view was logged"),
        Card("Segment", described["segment"] or "none", described["daypart"] or ""),
        Card("Personalization", answer["consent"]),
        Card("Last event", _moment(request, answer["last_at"])),
    ]
    forms = [
        *_reveal_form(answer, pseudonym),
        Form(
            "export",
            "Everything that is held",
            "/console/people/export",
            [FormField("person", value=pseudonym, kind="hidden")],
            "Download",
            "State, published facts, and each event of the log, as JSON for the person.",
            changes=True,
        ),
        Form(
            "link",
            "Their own page",
            "/console/people/link",
            [FormField("person", value=pseudonym, kind="hidden")],
            "Make a link",
            "The person sees all this there, changes it, downloads it, or has it erased. Send it to nobody else.",
            changes=True,
        ),
        Form(
            "erase",
            "Erase this person",
            "/console/people/erase",
            [
                FormField("person", value=pseudonym, kind="hidden"),
                FormField("sure", "This cannot be undone", kind="checkbox", is_required=True),
            ],
            "Erase",
            "From service, log, tables, models and bundles. The receipt shows each place until it is verified.",
            changes=True,
            is_dangerous=True,
        ),
    ]
    late = LatePart("events", "Timeline", f"/console/people/part/events?person={pseudonym}")
    note = "Every view of a person is logged, with the reader and the pseudonym."
    return ConsolePage(cards, _sheets(answer), [note], forms, [late])


def _build_list(request: PageRequest, answer: Mapping[str, Any]) -> ConsolePage:
    recent: list[list[Cell]] = [[pseudonym, _moment(request, at)] for pseudonym, at in answer["recent"]]
    looks: list[list[Cell]] = [
        [request.bundle.format_moment(look["at"]), look["reader"], look["role"], look["what"], look["person"]]
        for look in answer["looks"]
    ]
    sheets = [
        Sheet(
            "latest",
            "Latest visitors",
            ["Pseudonym", "Last event"],
            recent,
            is_half=True,
            empty="There are no visitors in memory yet. Send events, or find somebody.",
            links=[f"/console/people?person={row[0]}" for row in recent],
        ),
        Sheet(
            "looks",
            "Who viewed whom",
            ["When", "Reader", "Role", "What", "Person"],
            looks,
            say("The newest {lines} lines of `console/looks.jsonl` in the home.", lines=LOOKS_SHOWN),
            is_half=True,
            empty="Nobody has viewed a person yet.",
        ),
    ]
    return ConsolePage(sheets=sheets, forms=[look_up_form("people")])


def _reveal_form(answer: Mapping[str, Any], pseudonym: str) -> list[Form]:
    if answer["id"]:
        return []
    fields = [FormField("person", value=pseudonym, kind="hidden"), FormField("id", value="shown", kind="hidden")]
    return [Form("reveal", "Show the id", "/console/people", fields, "Show", "It is logged that you saw it.")]


def _sheets(answer: Mapping[str, Any]) -> list[Sheet]:
    described, titles = answer["description"], answer["titles"]
    facts: list[list[Cell]] = [
        [name.replace("_", " "), _text(value)] for name, value in sorted(described["facts"].items())
    ]
    memberships: list[list[Cell]] = [
        [name, round(100 * share, 1)]
        for name, share in sorted(described["memberships"].items(), key=lambda each: -each[1])
    ]
    set_by_person: list[list[Cell]] = [
        [name.replace("_", " "), _text(value)] for name, value in sorted(described["preferences"].items())
    ]
    intent: list[list[Cell]] = [[name, format_percent(chance)] for name, chance in described["intent"].items()]
    items: list[list[Cell]] = [
        [titles[item["item_id"]], item["item_id"], item["reason"], item["source"], round(item["score"], 3)]
        for item in described["items"]
    ]
    opened: list[list[Cell]] = [
        [titles[item["item_id"]], item["item_id"], item["at"][:19].replace("T", " ")]
        for item in described["recent"]
    ]
    segment = described["segment"]
    return [
        Sheet(
            "why",
            "Segment and why",
            ["Segment", "Probability %"],
            memberships,
            Sentences(described["persona"] or ""),
            is_half=True,
            empty=say("The person is in the segment {segment}.", segment=segment)
            if segment
            else say(
                "The person is in no segment: too little is known, or they do not consent to personalization."
            ),
        ),
        Sheet(
            "facts",
            "What the tables know",
            ["Fact", "Value"],
            facts,
            is_half=True,
            empty="The tables of the last materialization do not have this person.",
        ),
        Sheet(
            "preferences",
            "What the person set",
            ["Preference", "Value"],
            set_by_person,
            is_half=True,
            empty="The person set neither interests nor limits.",
        ),
        Sheet(
            "intent",
            "Chances of the running visit",
            ["Of what", "Chance"],
            intent,
            is_half=True,
            empty="No visit of this person is running.",
        ),
        Sheet(
            "now",
            "What would be recommended now, and why",
            ["Item", "Id", "Reason", "Source", "Score"],
            items,
            "Computed for this view; nothing is logged as shown.",
            empty="Nothing can be recommended: no items are published, or the person has seen them all.",
        ),
        Sheet(
            "opened",
            "Recently opened",
            ["Item", "Id", "When, UTC"],
            opened,
            empty="The person opened nothing that memory or the tables still hold.",
        ),
    ]


async def load_events(question: ServiceQuestion) -> ConsolePage:
    """Read the time line of a person from the event log, and what they were shown and why."""
    tessera = question.tessera
    pseudonym = question.query.get("person", "")
    key = await question.people.find_key(pseudonym)
    LookLog(tessera.config.home).record(question.reader, "read the events", pseudonym, tessera.clock())
    ids = await find_ids_of(tessera, key)
    events = await run_in_threadpool(read_events_of, tessera.config.home, ids)
    events.sort(key=lambda event: str(event["occurred_at"]), reverse=True)
    rows: list[list[Cell]] = [
        [
            f"{event['occurred_at']:%Y-%m-%d %H:%M:%S}",
            event["event_type"],
            str(next((event[name] for name in DETAILS if event.get(name)), "")),
            event.get("value"),
            event.get("device_type", ""),
            ", ".join(event["consent"]) if event.get("consent") is not None else "",
        ]
        for event in events
        if event["event_type"] != "served"
    ]
    shown: list[list[Cell]] = [_shown(event) for event in events if event["event_type"] == "served"]
    return ConsolePage(
        sheets=[
            Sheet(
                "events",
                "Timeline",
                ["When, UTC", "Event", "Of what", "Value", "Device", "Consent"],
                rows[:EVENTS_SHOWN],
                say(
                    "The newest {shown} of {events} events; the export has all.",
                    shown=EVENTS_SHOWN,
                    events=len(rows),
                )
                if len(rows) > EVENTS_SHOWN
                else say("{events} events of the log.", events=len(rows)),
                empty="The event log holds no event of this person.",
            ),
            Sheet(
                "shown",
                "What the person was shown, and why",
                ["When, UTC", "Slot", "Shown", "Ranked by", "Rules", "Experiments"],
                shown[:EVENTS_SHOWN],
                "Each answer of the service, as it was logged.",
                empty="The service has answered nothing for this person that the log still holds.",
            ),
        ]
    )


def _shown(event: Mapping[str, Any]) -> list[Cell]:
    properties = json.loads(event.get("properties") or "{}")
    rules = properties.get("rules") or {}
    decided = properties.get("decision") or {}
    items = properties.get("items") or list(decided.values())
    return [
        f"{event['occurred_at']:%Y-%m-%d %H:%M:%S}",
        str(properties.get("slot") or ""),
        ", ".join(map(str, items)),
        str(properties.get("model_version") or "popularity"),
        ", ".join(f"{kind}: {rule}" for kind, rule in rules.items()),
        ", ".join(f"{name}: {variant}" for name, variant in (properties.get("experiments") or {}).items()),
    ]


def _describe_consent(consent: Any, profile: Mapping[str, Any]) -> str:
    if profile.get("opt_out"):
        return "turned off by the person"
    if consent.has_refused:
        return "refused"
    return "granted" if consent.is_granted else "not granted"


def _moment(request: PageRequest, at: float) -> str:
    if not at:
        return "unknown"
    return request.bundle.format_moment(dt.datetime.fromtimestamp(at, dt.UTC))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(
            " ".join(map(_text, each)) if isinstance(each, tuple | list) else _text(each) for each in value
        )
    return f"{value:.4g}" if isinstance(value, float) else str(value)
