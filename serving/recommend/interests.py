"""Checks the interests that a person states against the topics of the catalogue."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ml.recommenders.newcomers.welcome import TOPIC_FAMILIES
from serving.bundles.served_bundle import ServedBundle
from serving.errors import ApiError

NEAREST = 3
LEAST_LIKENESS = 0.5


def check_interests(interests: Sequence[str], bundle: ServedBundle, profile: Mapping[str, Any]) -> list[str]:
    """Return the topics that interests name, each once.

    An interest is a category or a tag of the bundle's items, or the name of a question about one, as onboarding
    returns it: `category:sport` names `sport`. What the person stated before may stay although no item has it now.
    Without a bundle there is nothing to check against.

    Args:
        interests: What the person states.
        bundle: The bundle that answers.
        profile: What the person set before.

    Raises:
        ApiError: 422, there is no such topic; the message names the nearest ones.
    """
    topics = bundle.topics
    before = set(profile.get("interests") or ())
    checked = []
    for interest in interests:
        family, _, name = interest.partition(":")
        if not topics or interest in topics or interest in before:
            checked.append(interest)
        elif family in TOPIC_FAMILIES and name in topics:
            checked.append(name)
        else:
            raise ApiError(422, _describe_unknown(interest, topics), "interests")
    return list(dict.fromkeys(checked))


def _describe_unknown(interest: str, topics: Collection[str]) -> str:
    """Return what is wrong with an interest, and the topics whose spelling is nearest, whatever their case."""
    by_folded_name = {topic.casefold(): topic for topic in sorted(topics)}
    nearest = difflib.get_close_matches(interest.casefold(), by_folded_name, NEAREST, LEAST_LIKENESS)
    names = [by_folded_name[name] for name in nearest] or sorted(topics)[:NEAREST]
    likely = " or ".join(repr(name) for name in names)
    offer = "did you mean" if nearest else "there are, for example,"
    return f"no item has the topic {interest[:80]!r}; {offer} {likely}"
