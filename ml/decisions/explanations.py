"""Why an item is shown, in words for the person who sees it."""

from __future__ import annotations

from dataclasses import dataclass

MANY = 10


@dataclass(frozen=True)
class Evidence:
    """What is known of why an item is in a list."""

    source: str
    last_title: str | None = None
    category: str | None = None
    openings_last_hour: int = 0
    country: str | None = None
    segment: str | None = None


def reason(evidence: Evidence) -> str:
    """One sentence.

    >>> reason(Evidence("follows", last_title="Rain"))
    'Often opened after “Rain”'
    """
    about = f" about {evidence.category}" if evidence.category else ""
    last = f"“{evidence.last_title}”" if evidence.last_title else "what you opened last"
    sentences = {
        "follows": f"Often opened after {last}",
        "similar": f"Like {last}",
        "recent": f"Fits what you opened lately{about}",
        "personal": f"Fits what you usually open{about}",
        "interests": f"You said that you are interested{about or ' in this'}",
        "segment": f"Popular with people like you ({evidence.segment})"
        if evidence.segment
        else "Popular with people like you",
        "here": f"Popular in {evidence.country}" if evidence.country else "Popular with visitors like you",
        "popular": "Popular over a long time",
        "exploration": f"New or rarely shown{about}: something outside your usual",
        "trending": "Opened by many people right now",
    }
    if evidence.source == "trending" and evidence.openings_last_hour >= MANY:
        return f"Opened {evidence.openings_last_hour} times in the last hour"
    return sentences[evidence.source]
