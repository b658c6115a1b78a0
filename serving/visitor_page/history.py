"""What was recorded of a person, and what they were shown: rows for people to read, the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serving.visitor_page.content import Wording

MOST_ROWS = 300
DETAILS = ("page_title", "page_url", "item_id", "experiment_id")


def split_history(
    events: Iterable[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return what the person did and what they were shown, each the newest first."""
    newest = sorted(events, key=lambda event: str(event["occurred_at"]), reverse=True)
    shown = [event for event in newest if event["event_type"] == "served"]
    return [event for event in newest if event["event_type"] != "served"], shown


def describe_events(events: Sequence[Mapping[str, Any]], wording: Wording) -> list[list[str]]:
    """Return a row for each of the newest events: when, what, of what, on which device."""
    return [
        [
            wording.moment(event["occurred_at"]),
            event["event_type"].removeprefix("custom:").replace("_", " "),
            str(next((event[name] for name in DETAILS if event.get(name)), "")),
            wording.text(event.get("device_type", "")),
        ]
        for event in events[:MOST_ROWS]
    ]


def describe_shown(
    events: Sequence[Mapping[str, Any]], titles: Mapping[str, str], wording: Wording
) -> list[list[str]]:
    """Return a row for each of the newest answers: when, in which slot, what, and what chose it."""
    rows = []
    for event in events[:MOST_ROWS]:
        properties = json.loads(event.get("properties") or "{}")
        items = properties.get("items") or list((properties.get("decision") or {}).values())
        rows.append(
            [
                wording.moment(event["occurred_at"]),
                str(properties.get("slot") or ""),
                ", ".join(titles.get(str(item), str(item)) for item in items),
                _describe_choice(properties, wording),
            ]
        )
    return rows


def shown_items(events: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the items that the newest answers named."""
    properties = [json.loads(event.get("properties") or "{}") for event in events[:MOST_ROWS]]
    return {str(item) for each in properties for item in each.get("items") or ()}


def _describe_choice(properties: Mapping[str, Any], wording: Wording) -> str:
    """Say what chose an answer: rules of the site, experiments, a model."""
    say = wording.words.gettext
    rules = sorted({str(rule) for rule in (properties.get("rules") or {}).values()})
    experiments = [f"{name} ({variant})" for name, variant in (properties.get("experiments") or {}).items()]
    model = properties.get("model_version")
    parts = [
        *([say("rules of the site: ") + ", ".join(rules)] if rules else []),
        *([say("experiments: ") + ", ".join(experiments)] if experiments else []),
        *([say("a model of what people open: ") + str(model)] if model and not rules else []),
    ]
    return "; ".join(parts) or say("what many people open")
