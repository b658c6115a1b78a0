"""Readable, unique names for segments, by rule from what sets them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml.segmentation.features.features import matches_any
from ml.segmentation.profiles.labels import to_words
from ml.segmentation.profiles.profiles import Trait

WEAK_EFFECT = 0.2  # Cohen's convention for a small effect: below, a trait is not worth a word
PLACES = ("before", "noun", "after")


def name_segment(found: Sequence[Trait], words: Mapping[str, Mapping[str, str]], taken: Sequence[str]) -> str:
    """A name such as "Evening phone readers of sport", not among `taken`.

    Args:
        found: the segment's traits, strongest first.
        words: for each place (`before`: adjectives, `noun`: what these people are, `after`: what they like) shell
            patterns of feature names → phrase, in which `{key}` is what stands after the last `:` of the name; a
            pattern after "low " names those who have less of the feature than others.
        taken: names of the other segments.

    A place takes the strongest trait with a phrase, one that is usual in the segment before one that is
    only unusual elsewhere; features without phrases give "high x, low y".
    """
    strong = [trait for trait in found if abs(trait.effect) >= WEAK_EFFECT]
    usual = _largest_keys(found)
    strong.sort(key=lambda trait: ":" in trait.feature and trait.feature not in usual)
    phrases: dict[str, list[str]] = {place: [] for place in PLACES}
    for trait in strong:
        for place in PLACES:
            if phrase := _phrase(trait, words.get(place, {})):
                phrases[place].append(phrase)
    if any(phrases.values()):
        noun = phrases["noun"][0] if phrases["noun"] else words.get("noun", {}).get("otherwise", "visitors")
        for befores in range(1, len(phrases["before"]) + 2):
            for afters in range(1, len(phrases["after"]) + 2):
                before = _distinct(phrases["before"][:befores])
                after = _distinct(phrases["after"][:afters])
                name = " ".join([*before, noun, *([_listed(after)] if after else [])])
                name = name[0].upper() + name[1:]
                if name not in taken:
                    return name
    plain = [f"{'high' if trait.effect > 0 else 'low'} {to_words(trait.feature)}" for trait in strong]
    for count in range(min(2, len(plain)), len(plain) + 1):
        name = ", ".join(plain[:count]).capitalize() if count else ""
        if name and name not in taken:
            return name
    number = 1
    while (name := "Average users" if number == 1 else f"Average users {number}") in taken:
        number += 1
    return name


def _largest_keys(found: Sequence[Trait]) -> set[str]:
    """Of the features of each map (`column:key`) the one with the largest mean in the segment."""
    largest: dict[str, Trait] = {}
    for trait in found:
        column = trait.feature.split(":")[0]
        if column not in largest or trait.mean > largest[column].mean:
            largest[column] = trait
    return {trait.feature for trait in largest.values()}


def _phrase(trait: Trait, patterns: Mapping[str, str]) -> str:
    name = trait.feature if trait.effect > 0 else f"low {trait.feature}"
    phrase = next((phrase for pattern, phrase in patterns.items() if matches_any(name, [pattern])), "")
    return phrase.replace("{key}", to_words(trait.feature))


def _listed(phrases: Sequence[str]) -> str:
    """ "of sport", "of travel" → "of sport and travel"."""
    first, *rest = phrases
    preposition = first.split(" ")[0] + " "
    return " and ".join([first, *(phrase.removeprefix(preposition) for phrase in rest)])


def _distinct(phrases: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(phrases))
