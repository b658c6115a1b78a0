"""Give segments readable, unique names by rule, from the traits that set them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml.segmentation.features.features import matches_any
from ml.segmentation.profiles.labels import to_words
from ml.segmentation.profiles.profiles import MAJORITY, Trait

SECOND_INTEREST = 0.5  # of the largest share, from which on a further key is named beside it
MINIMUM_EFFECT = 0.5  # Cohen's medium effect, "visible to the naked eye"; weaker traits are not named
SLOTS = ("before", "noun", "after")


def name_segment(
    segment: int, traits: Sequence[Trait], words: Mapping[str, Mapping[str, str]], taken: Sequence[str]
) -> str:
    """Name a segment, such as "Evening phone readers of sport", with a name that is not in `taken`.

    Only differences that are large and certain are named, and only where most of the segment are that way: a few
    buyers make no "buyers", and a third of visits in the evening no "evening visitors". A segment without any such
    difference is "Segment" and its number. Each slot takes the strongest trait that has a phrase. Features without
    phrases yield "high x, low y".

    Args:
        segment: number of the segment.
        traits: the segment's traits, strongest first.
        words: for each slot (`before`: adjectives, `noun`: what these people are, `after`: what they like) shell
            patterns of feature names → phrase. In a phrase, `{key}` is replaced by what follows the last `:` of
            the name. A pattern after "low " matches segments with less of the feature than others.
        taken: names of the other segments.
    """
    strong = [
        trait for trait in traits if trait.is_certain and trait.is_usual and abs(trait.effect) >= MINIMUM_EFFECT
    ]
    largest = _find_largest_shares(traits)
    phrases: dict[str, list[str]] = {slot: [] for slot in SLOTS}
    for trait in strong:
        for slot in SLOTS:
            phrase = _find_phrase(trait, words.get(slot, {}))
            if phrase and _holds_for_most(trait, slot, largest):
                phrases[slot].append(phrase)
    if any(phrases.values()):
        noun = phrases["noun"][0] if phrases["noun"] else words.get("noun", {}).get("otherwise", "visitors")
        for befores in range(1, len(phrases["before"]) + 2):
            for afters in range(1, len(phrases["after"]) + 2):
                before = _remove_repeats(phrases["before"][:befores])
                after = _remove_repeats(phrases["after"][:afters])
                name = " ".join([*before, noun, *([_join_phrases(after)] if after else [])])
                name = name[0].upper() + name[1:]
                if name not in taken:
                    return name
    plain = [f"{'high' if trait.effect > 0 else 'low'} {to_words(trait.feature)}" for trait in strong]
    for count in range(min(2, len(plain)), len(plain) + 1):
        name = ", ".join(plain[:count])
        name = name[:1].upper() + name[1:]  # the rest keeps the letters of the table's own columns
        if name and name not in taken:
            return name
    return f"Segment {segment}"


def _find_largest_shares(traits: Sequence[Trait]) -> dict[str, float]:
    """Return the largest mean of the keys of each map."""
    largest: dict[str, float] = {}
    for trait in traits:
        column, _, key = trait.feature.partition(":")
        if key:
            largest[column] = max(largest.get(column, 0.0), trait.mean)
    return largest


def _holds_for_most(trait: Trait, slot: str, largest: Mapping[str, float]) -> bool:
    """Return whether a phrase about a map's key is true of the segment, and not only truer than of others.

    What people are takes the greater part of the map; what they like may be one of several things.
    """
    column, _, key = trait.feature.partition(":")
    if not key or trait.effect < 0:
        return True
    return trait.mean >= SECOND_INTEREST * largest[column] if slot == "after" else trait.mean > MAJORITY


def _find_phrase(trait: Trait, patterns: Mapping[str, str]) -> str:
    """Return the phrase of the first matching pattern, or an empty text."""
    name = trait.feature if trait.effect > 0 else f"low {trait.feature}"
    phrase = next((phrase for pattern, phrase in patterns.items() if matches_any(name, [pattern])), "")
    return phrase.replace("{key}", to_words(trait.feature))


def _join_phrases(phrases: Sequence[str]) -> str:
    """Join phrases and drop a repeated preposition: "of sport" and "of travel" become "of sport and travel"."""
    first, *rest = phrases
    preposition = first.split(" ")[0] + " "
    return " and ".join([first, *(phrase.removeprefix(preposition) for phrase in rest)])


def _remove_repeats(phrases: Sequence[str]) -> list[str]:
    """Remove repeated phrases, keeping their order."""
    return list(dict.fromkeys(phrases))
