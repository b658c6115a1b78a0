"""Writes the questions of onboarding, from what is known of the site, an item or a person's segment.

Each question names what its answer is used for, and the call that takes the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.recommenders.newcomers.profile_prompts import Prompt
from serving.bundles.served_bundle import ServedBundle
from serving.errors import ApiError

LISTED_TOPICS = 12
ANSWER_INTERESTS = "PUT /v1/users/{id}/preferences"
ANSWER_EVENT = "POST /v1/events"
USE_OF_INTERESTS = "Items about what you choose are ranked higher for you. You can change your answer at any time."


def ask_about_site(bundle: ServedBundle) -> list[dict[str, Any]]:
    """Return the question about the site's topics, the most informative first; [] without items."""
    topics = _list_topics(bundle)
    if not topics:
        return []
    return [
        {
            "id": "interests",
            "question": "Which of these topics would you like to see more of?",
            "choices": topics[:LISTED_TOPICS],
            "used_for": USE_OF_INTERESTS,
            "answer_with": ANSWER_INTERESTS,
        }
    ]


def ask_about_item(bundle: ServedBundle, item_id: str) -> dict[str, Any]:
    """Return the question whether a person wants more items like this one. The choices are types of events.

    Raises:
        ApiError: 404, the bundle has no such item.
    """
    index = bundle.index
    row = index.bundle.item_rows.get(item_id) if index is not None else None
    if index is None or row is None:
        raise ApiError(404, "the published version has no such item", "item_id")
    category = index.categories[index.category[row]] if index.category[row] >= 0 else None
    name = f"“{index.title_of(row) or item_id}”" + (f" in {category}" if category else "")
    return {
        "id": "item",
        "item_id": item_id,
        "question": f"Would you like to see more like {name}?",
        "choices": ["like", "not_interested"],
        "used_for": (
            f"A yes ranks items like {name} higher for you. A no keeps this item out of what you are shown."
        ),
        "answer_with": f"{ANSWER_EVENT}, like or not_interested",
    }


def ask_about_segment(segment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the question whether a segment describes its person; [] for somebody without a segment.

    Args:
        segment: What `describe_segment` returns.
    """
    name, persona = segment["segment"], segment["persona"]
    if name is None:
        return []
    return [
        {
            "id": "segment",
            "segment": name,
            "question": f"We count you among “{name}”. {persona or ''}".rstrip() + " Does that describe you?",
            "choices": [True, False],
            "used_for": (
                f"The answers are counted beside the description of “{name}” and show how well it fits. "
                "They do not change what you are shown."
            ),
            "answer_with": f"{ANSWER_EVENT}, segment_feedback with agrees",
        }
    ]


def describe_prompt(prompt: Prompt) -> dict[str, Any]:
    """Return a prompt as a question: what is asked, what the answer is used for, and how much it helps."""
    if prompt.is_consent:
        question = f"May we use your {prompt.field} to choose what you are shown?"
        used_for = f"Your {prompt.field} is used to rank items for you. You can withdraw your consent at any time."
        answer_with = f"{ANSWER_EVENT}, consent_granted"
    else:
        question = f"Would you like to see more about {prompt.field.split(':', 1)[-1]}?"
        used_for, answer_with = USE_OF_INTERESTS, ANSWER_INTERESTS
    return {
        "field": prompt.field,
        "question": question,
        "used_for": used_for,
        "benefit": prompt.benefit,
        "incentive": prompt.incentive,
        "gain": prompt.gain,
        "is_consent": prompt.is_consent,
        "answer_with": answer_with,
    }


def _list_topics(bundle: ServedBundle) -> list[str]:
    """Return topics that tell most about a newcomer first, else the categories by their popularity."""
    index, welcome = bundle.index, bundle.welcome
    if index is None:
        return []
    topics = welcome.choices() if welcome else []
    if topics:
        return topics
    sizes = [
        (float(index.popularity[index.category == code].sum()), name) for code, name in enumerate(index.categories)
    ]
    return [name for _, name in sorted(sizes, key=lambda pair: (-pair[0], pair[1]))]
