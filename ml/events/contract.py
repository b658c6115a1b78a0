"""The event contract, version 1. One row is one thing that happened.

The Arrow schema, the validation, the columns of the warehouse's source and the documentation are derived from
`FIELDS` and `EVENT_TYPES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

CONTRACT_VERSION = 1
TIMESTAMP = pa.timestamp("us", tz="UTC")
CONSENT_PURPOSES = ("analytics", "personalization", "location")
DEVICE_TYPES = ("mobile", "tablet", "desktop", "tv", "bot", "other")
NETWORK_TYPES = ("slow-2g", "2g", "3g", "4g")
CUSTOM_PREFIX = "custom:"
# Who vouches for an event, from the service's own records down to a browser, whose every word is a claim.
AUTHORITIES = ("service", "server", "signed", "browser")
# Property with which the collector marks the events of visitors who may be made up.
SUSPECTED = "suspected"
# Property with the seconds of attention that an event of any type adds to its page: since the last event, so that
# they are summed. Pings of a clock, which may come twice, use `value` of page_ping.
ENGAGED_DELTA = "engaged_delta_seconds"
# Whose grant of consent can lift whose refusal: that of the same rank or a lower one.
CONSENT_RANKS: Mapping[str, int] = MappingProxyType({"browser": 1, "signed": 2, "server": 3, "service": 3})


@dataclass(frozen=True)
class Field:
    """One column of the contract."""

    name: str
    type: pa.DataType
    description: str
    required: bool = False


@dataclass(frozen=True)
class EventType:
    """One thing that can happen. `unit` is the unit of the column `value`, or None if the type has no measure."""

    name: str
    family: str
    unit: str | None
    description: str


FIELDS: tuple[Field, ...] = (
    Field("event_id", pa.string(), "Unique id; a repeat is the same event.", required=True),
    Field("event_type", pa.string(), "One of the types of the contract, or `custom:<name>`.", required=True),
    Field(
        "occurred_at",
        TIMESTAMP,
        "When it happened: the client's clock, corrected by the sent-at offset where known.",
        required=True,
    ),
    Field("received_at", TIMESTAMP, "When the collector took it."),
    Field("user_id", pa.string(), "Known user; at least one of user_id and anonymous_id is set."),
    Field("anonymous_id", pa.string(), "Browser or device; at least one of user_id and anonymous_id is set."),
    Field("session_id", pa.string(), "The client's own session; sessions are derived all the same."),
    Field("item_id", pa.string(), "The content or product concerned."),
    Field("page_url", pa.string(), "Address of the page."),
    Field("page_title", pa.string(), "Title of the page."),
    Field("referrer", pa.string(), "Address of the page before."),
    Field("value", pa.float64(), "The type's measure, in the type's unit."),
    Field("properties", pa.string(), "Everything else, as sent: a JSON object."),
    Field("device_type", pa.string(), f"One of {', '.join(DEVICE_TYPES)}."),
    Field("os", pa.string(), "Operating system, from user agent or client hints."),
    Field("browser", pa.string(), "Browser, from user agent or client hints."),
    Field("screen_width", pa.int32(), "Width of the screen in CSS px."),
    Field("screen_height", pa.int32(), "Height of the screen in CSS px."),
    Field("language", pa.string(), "BCP 47 language tag."),
    Field("timezone", pa.string(), "IANA time zone name."),
    Field("country", pa.string(), "ISO 3166-1 alpha-2 code."),
    Field("region", pa.string(), "ISO 3166-2 code."),
    Field("city", pa.string(), "Name of the city."),
    Field("network_type", pa.string(), f"As the browser says: {', '.join(NETWORK_TYPES)}."),
    Field("consent", pa.list_(pa.string()), f"Purposes granted: {', '.join(CONSENT_PURPOSES)}."),
    Field("recommendation_id", pa.string(), "The answer that this event reacts to."),
    Field("experiment_id", pa.string(), "The experiment of an `exposure`."),
    Field("variant", pa.string(), "The variant of an `exposure`."),
    Field("source", pa.string(), "Tracker or file source that brought the event."),
    Field(
        "authority",
        pa.string(),
        f"Who vouches for the event, set by the collector: {', '.join(AUTHORITIES)}; null means server.",
    ),
)

EVENT_SCHEMA = pa.schema(
    [
        pa.field(field.name, field.type, nullable=not field.required, metadata={"description": field.description})
        for field in FIELDS
    ],
    metadata={"contract_version": str(CONTRACT_VERSION)},
)


def _event_types() -> Mapping[str, EventType]:
    families: dict[str, list[tuple[str, str | None, str]]] = {
        "pages": [
            ("page_view", None, "A page was opened."),
            ("page_ping", "s", "Engaged seconds since the last ping; `scroll_depth` in % in properties."),
            ("page_exit", "s", "The page was left; value is the dwell."),
        ],
        "micro_interactions": [
            ("click", None, "An element or item was clicked."),
            ("hover", "ms", "The pointer rested on an element."),
            ("scroll", "%", "The page was scrolled to this depth."),
            ("cursor", "px", "Distance that the cursor travelled."),
            ("form_start", None, "The first field of a form was touched."),
            ("form_submit", None, "A form was sent."),
            ("form_abandon", None, "A started form was left unsent."),
            ("video_play", None, "A video was started."),
            ("video_progress", "%", "A video reached this share of its length."),
            ("search", None, "The site was searched; `query` in properties."),
        ],
        "reactions": [
            ("impression", None, "An item was seen in a slot."),
            ("like", None, "An item was liked."),
            ("dislike", None, "An item was disliked."),
            ("bookmark", None, "An item was kept for later."),
            ("share", None, "An item was shared."),
            ("comment", None, "An item was commented on."),
            ("follow", None, "A topic or author was followed."),
            ("not_interested", None, "The user wants no more of this."),
            ("rating", "stars", "An item was rated."),
        ],
        "conversion": [
            ("add_to_cart", None, "An item was put into the cart."),
            ("remove_from_cart", None, "An item was taken out of the cart."),
            ("checkout", None, "The checkout was begun."),
            (
                "purchase",
                "money",
                "An item was bought, at whatever `value`; less than zero is a refund. `currency` in properties.",
            ),
            ("signup", None, "An account was made."),
            ("subscribe", None, "A subscription was begun."),
        ],
        "identity_and_control": [
            ("identify", None, "Links anonymous_id to user_id."),
            ("preference", None, "A stated preference; topics and caps in properties."),
            ("consent_granted", None, "Purposes in `consent` are granted."),
            ("consent_withdrawn", None, "Purposes named in properties are withdrawn."),
            ("exposure", None, "A variant of an experiment was actually shown."),
            ("erased", None, "A user was erased; the id is a keyed hash."),
            ("segment_feedback", None, "A user agrees or disagrees with their segment."),
        ],
        "service": [
            ("served", None, "An answer: items, ranks, propensities, model_version and slot in properties."),
        ],
    }
    return MappingProxyType(
        {
            name: EventType(name, family, unit, description)
            for family, types in families.items()
            for name, unit, description in types
        }
    )


EVENT_TYPES: Mapping[str, EventType] = _event_types()


def refund_event_type(value: float | None) -> str:
    """The type of a refund of this `value`: without an amount below zero it would read as one more purchase."""
    return "purchase" if value is not None and value < 0 else "custom:refund"


FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS)
