"""Write a paragraph about the people of a segment, by rule, from its profile and their sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ml.segmentation.profiles.behaviour import SegmentBehaviour
from ml.segmentation.profiles.feedback import SegmentFeedback
from ml.segmentation.profiles.labels import FeatureLabels, describe_visit, join_words
from ml.segmentation.profiles.profiles import MAJORITY, SegmentProfile, Trait
from ml.segmentation.segmentation import Segmentation

CLEAR_EFFECT = 0.3  # Cohen's d, between small (.2) and medium (.5), that a reader would notice
PHRASES = {
    "night": "at night",
    "mobile": "on a phone",
    "desktop": "on a desktop",
    "tablet": "on a tablet",
    "tv": "on a TV",
}
MIX_FEATURES = {"daypart": "daypart_shares", "device_type": "device_shares"}  # mix of visits → column of users
MAXIMUM_MORE = 3
MAXIMUM_LESS = 2
MAXIMUM_INTERESTS = 3


def write_persona(profile: SegmentProfile, labels: FeatureLabels) -> str:
    """Write one paragraph that states only what the profile and the sessions show."""
    sentences = [f"{profile.size:,} people, {profile.share:.0%} of all{_describe_trend(profile.behaviour)}."]
    if profile.share < 1:
        sentences += _describe_traits(profile.traits, labels)
    shared = [word for word in profile.interests if word.holders > MAJORITY]
    topics = list(dict.fromkeys(word.word.replace("_", " ") for word in shared))[:MAXIMUM_INTERESTS]
    if topics:
        sentences.append(
            f"They are interested in {join_words(topics)}{' more than others' if profile.share < 1 else ' most'}."
        )
    if profile.behaviour is not None:
        sentences += _describe_sessions(profile.behaviour, profile.traits if profile.share < 1 else ())
    return " ".join(sentences)


def _describe_trend(behaviour: SegmentBehaviour | None) -> str:
    """Describe the change of weekly users, or return an empty text if it is unknown."""
    change = behaviour.trend if behaviour else None
    if change is None:
        return ""
    if not change:
        return "; about as many visit each week as before"
    return f"; {abs(change):.0%} {'more' if change > 0 else 'fewer'} of them visit each week than before"


def _describe_traits(traits: tuple[Trait, ...], labels: FeatureLabels) -> Iterator[str]:
    """Yield sentences about what the segment does more and less than others."""
    clear = select_clear_traits(traits)
    more = [trait for trait in clear if trait.effect > 0][:MAXIMUM_MORE]
    less = [trait for trait in clear if trait.effect < 0][:MAXIMUM_LESS]
    if more:
        yield f"More than others: {'; '.join(_compare_trait(trait, labels) for trait in more)}."
    if less:
        yield f"Less than others: {'; '.join(_compare_trait(trait, labels) for trait in less)}."
    if not more and not less:
        yield "They do not differ clearly from the others in any feature."


def select_clear_traits(traits: Sequence[Trait]) -> list[Trait]:
    """Return the traits that are certain and large enough to be stated, in the same order."""
    return [trait for trait in traits if trait.is_certain and abs(trait.effect) >= CLEAR_EFFECT]


def _compare_trait(trait: Trait, labels: FeatureLabels) -> str:
    """Describe a trait with its value inside and outside of the segment."""
    here, there = (labels.value(trait.feature, value) for value in (trait.mean, trait.mean_outside))
    return f"{labels.label(trait.feature)} {here} (others {there})"


def _describe_sessions(behaviour: SegmentBehaviour, traits: Sequence[Trait]) -> Iterator[str]:
    """Yield sentences about dayparts, devices, lengths and the funnel.

    What most visits have in common is left out where a trait says it already: a trait averages over people, a mix
    over visits, and two figures for one thing confuse the reader.
    """
    habits = []
    stated = find_mixes(select_clear_traits(traits))
    for name, preposition in (("daypart", "in the"), ("device_type", "on")):
        value, share = next(iter(behaviour.mixes.get(name, {"": 0.0}).items()))
        if share > MAJORITY and name not in stated:
            habits.append(f"{share:.0%} are {PHRASES.get(value, f'{preposition} {value}')}")
    if habits:
        yield f"Of their visits, {join_words(habits)}."
    if behaviour.median_pages:
        yield f"A typical visit has {describe_visit(behaviour.median_pages, behaviour.median_minutes)}."
    if 0 < behaviour.funnel.get("purchase", 0) < behaviour.sessions:
        lost = _describe_largest_loss(behaviour.funnel)
        bought = behaviour.funnel["purchase"] / behaviour.sessions
        yield f"{bought:.1%} of visits end in a purchase{f'; {lost}' if lost else ''}."


def find_mixes(traits: Iterable[Trait]) -> set[str]:
    """Return the names of the mixes that say the same as these traits."""
    columns = {trait.feature.split(":")[0] for trait in traits}
    return {name for name, column in MIX_FEATURES.items() if column in columns}


def _describe_largest_loss(funnel: dict[str, int]) -> str:
    """Describe the step after the cart at which most visits stop; empty if none does.

    Where no visit stops at the checkout, the site may tell nothing of it.
    """
    carts, checkouts, purchases = funnel["cart"], funnel["checkout"], funnel["purchase"]
    if checkouts == purchases:
        return f"{1 - purchases / carts:.0%} of carts are abandoned" if carts > purchases else ""
    if carts - checkouts >= checkouts - purchases:
        return f"{1 - checkouts / carts:.0%} of carts are abandoned before checkout" if carts > checkouts else ""
    return f"{1 - purchases / checkouts:.0%} of checkouts are abandoned"


def write_personas(
    segmentation: Segmentation,
    labels: FeatureLabels,
    behaviours: Mapping[int, SegmentBehaviour] | None = None,
    feedback: Mapping[int, SegmentFeedback] | None = None,
) -> None:
    """Write behaviour, feedback and persona into the profiles of a segmentation.

    Args:
        segmentation: the segmentation to complete.
        labels: labels of the features.
        behaviours: behaviour by segment number.
        feedback: feedback by segment number; without an entry the profile keeps its feedback.
    """
    behaviours, feedback = behaviours or {}, feedback or {}
    for index, profile in enumerate(segmentation.profiles):
        completed = replace(
            profile,
            behaviour=behaviours.get(profile.segment),
            feedback=feedback.get(profile.segment, profile.feedback),
        )
        segmentation.profiles[index] = replace(completed, persona=write_persona(completed, labels))
