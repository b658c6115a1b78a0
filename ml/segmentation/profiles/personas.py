"""A paragraph about the people of a segment, by rule from its profile and their sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ml.segmentation.profiles.behaviour import SegmentBehaviour
from ml.segmentation.profiles.feedback import SegmentFeedback
from ml.segmentation.profiles.labels import FeatureLabels, join_words
from ml.segmentation.profiles.profiles import SegmentProfile, Trait
from ml.segmentation.segmentation import Segmentation

CLEAR_EFFECT = 0.3  # Cohen's d between small (.2) and medium (.5): what a reader would notice
CLEAR_TREND = 0.05  # relative change of weekly users, below which they are called steady
MOST_MORE = 3
MOST_LESS = 2
MOST_INTERESTS = 3


def write_persona(profile: SegmentProfile, wording: FeatureLabels) -> str:
    """One paragraph; says only what the profile and the sessions show."""
    sentences = [f"{profile.size:,} people, {profile.share:.0%} of all{_trend(profile.behaviour)}."]
    if profile.share < 1:
        sentences += _trait_sentences(profile.traits, wording)
    topics = [word.word.replace("_", " ") for word in profile.interests[:MOST_INTERESTS]]
    if topics:
        sentences.append(
            f"They care for {join_words(topics)}{' more than others do' if profile.share < 1 else ' most'}."
        )
    if profile.behaviour is not None:
        sentences += _session_sentences(profile.behaviour)
    return " ".join(sentences)


def _trend(behaviour: SegmentBehaviour | None) -> str:
    change = behaviour.trend if behaviour else None
    if change is None:
        return ""
    if abs(change) < CLEAR_TREND:
        return "; about as many come each week as before"
    return f"; {abs(change):.0%} {'more' if change > 0 else 'fewer'} of them come each week than before"


def _trait_sentences(traits: tuple[Trait, ...], wording: FeatureLabels) -> Iterator[str]:
    more = [trait for trait in traits if trait.effect >= CLEAR_EFFECT][:MOST_MORE]
    less = [trait for trait in traits if trait.effect <= -CLEAR_EFFECT][:MOST_LESS]
    if more:
        yield f"More than others: {'; '.join(_compared(trait, wording) for trait in more)}."
    if less:
        yield f"Less than others: {'; '.join(_compared(trait, wording) for trait in less)}."
    if not more and not less:
        yield "In no feature clearly unlike the others."


def _compared(trait: Trait, wording: FeatureLabels) -> str:
    here, there = (wording.value(trait.feature, value) for value in (trait.mean, trait.mean_outside))
    return f"{wording.label(trait.feature)} {here} (others {there})"


def _session_sentences(behaviour: SegmentBehaviour) -> Iterator[str]:
    habits = []
    for name, preposition in (("daypart", "in the"), ("device_type", "on")):
        if name in behaviour.mixes:
            value, share = next(iter(behaviour.mixes[name].items()))
            habits.append(f"{share:.0%} of visits {preposition} {value}")
    if habits:
        yield f"They come with {join_words(habits)}."
    if behaviour.median_pages and behaviour.median_minutes is not None:
        pages = f"{behaviour.median_pages:.0f} {'page' if behaviour.median_pages == 1 else 'pages'}"
        yield f"A usual visit has {pages} in {behaviour.median_minutes:.1f} minutes."
    if 0 < behaviour.funnel.get("purchase", 0) < behaviour.funnel.get("view", 0):
        lost = _largest_loss(behaviour.funnel)
        bought = behaviour.funnel["purchase"] / behaviour.funnel["view"]
        yield f"{bought:.1%} of visits end in a purchase{f'; {lost}' if lost else ''}."
    if behaviour.triggers:
        told = join_words([f"{describe_signal(t.signal)} (×{t.lift:.1f})" for t in behaviour.triggers[:3]])
        yield f"Visits convert more often after {told}."


def describe_signal(name: str) -> str:
    """A micro-interaction as words: `hover:price` is "hover on price"."""
    return name.replace(":", " on ").replace("_", " ")


def _largest_loss(funnel: dict[str, int]) -> str:
    """Where most of the visits with something in the cart stop; empty if none does."""
    carts, checkouts, purchases = funnel["cart"], funnel["checkout"], funnel["purchase"]
    if carts - checkouts >= checkouts - purchases:
        return f"{1 - checkouts / carts:.0%} of carts are left before the checkout" if carts > checkouts else ""
    return f"{1 - purchases / checkouts:.0%} of checkouts are broken off"


def write_personas(
    found: Segmentation,
    wording: FeatureLabels,
    behaviours: Mapping[int, SegmentBehaviour] | None = None,
    feedback: Mapping[int, SegmentFeedback] | None = None,
) -> None:
    """Write sessions, feedback and persona into the profiles of a segmentation."""
    behaviours, feedback = behaviours or {}, feedback or {}
    for index, profile in enumerate(found.profiles):
        told = replace(
            profile,
            behaviour=behaviours.get(profile.segment),
            feedback=feedback.get(profile.segment, profile.feedback),
        )
        found.profiles[index] = replace(told, persona=write_persona(told, wording))
