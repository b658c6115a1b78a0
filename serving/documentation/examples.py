"""Examples that work on the service that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.documentation.event_types import event_examples
from serving.documentation.tracker_examples import tracker_body_examples, tracker_parameter_examples


@dataclass(frozen=True)
class Samples:
    """Ids for examples.

    Attributes:
        user: A user, or None on a service with keys, whose description everybody may read.
        item: An item.
        category: A category of items.
        experiment: An experiment.
    """

    user: str | None = None
    item: str = "item-1"
    category: str = "news"
    experiment: str = "new_font"

    @property
    def person(self) -> dict[str, str]:
        """The id of the person in bodies."""
        return {"user_id": self.user} if self.user else {"anonymous_id": "device-1"}


def body_examples(samples: Samples) -> Mapping[str, Mapping[str, Any]]:
    """Return the examples of bodies by the name of the operation."""
    person, stranger = samples.person, {"anonymous_id": "device-1"}
    return {
        "recommend": {
            "person": {"summary": "Five items for a person", "value": {**person, "k": 5}},
            "stranger": {"summary": "For a stranger on a phone", "value": {**stranger, "k": 5, "slot": "home"}},
            "filtered": {
                "summary": "Of one category, without an item",
                "value": {
                    **person,
                    "k": 5,
                    "filter": {"category": [samples.category]},
                    "exclude": [samples.item],
                },
            },
        },
        "decide": {
            "slot": {"summary": "The content of the slot `hero`", "value": {**person, "slot": "hero"}},
        },
        "send_events": event_examples(person, samples.item),
        "set_preferences": {
            "interests": {"summary": "Interests", "value": {"interests": [samples.category]}},
            "opt_out": {"summary": "No personalization", "value": {"opt_out": True}},
            "quiet": {
                "summary": "Quiet hours from 22 to 7 o'clock",
                "value": {"quiet_hours": {"from": 22, "to": 7}},
            },
        },
        **tracker_body_examples(samples.item),
        "revert_online_learning": {"newest": {"summary": "To the newest snapshot", "value": {"steps": 0}}},
    }


def parameter_examples(samples: Samples) -> Mapping[str, Any]:
    """Return the examples of parameters of paths and queries, by their name."""
    return {
        **tracker_parameter_examples(),
        "user_id": samples.user or "user-1",
        "item_id": samples.item,
        "experiment_id": samples.experiment,
    }
