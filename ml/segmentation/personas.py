"""A paragraph about the people of a segment, by rule from its profile and their sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from ml.segmentation.behaviour import Behaviour
from ml.segmentation.naming import readable
from ml.segmentation.profiles import Profile, Trait
from ml.segmentation.segmentation import Segmentation

CLEAR_EFFECT = 0.3  # Cohen's d between small (.2) and medium (.5): what a reader would notice
MOST_TRAITS = 4


def persona_text(profile: Profile, behaviour: Behaviour | None = None) -> str:
    """One paragraph; says only what the profile and the sessions show."""
    sentences = [f"{profile.size:,} users, {profile.share:.0%} of all.", *_trait_sentences(profile.traits)]
    if behaviour is not None:
        sentences += _session_sentences(behaviour)
    return " ".join(sentences)


def _trait_sentences(traits: tuple[Trait, ...]) -> Iterator[str]:
    more = [trait for trait in traits if trait.effect >= CLEAR_EFFECT][:MOST_TRAITS]
    less = [trait for trait in traits if trait.effect <= -CLEAR_EFFECT][:MOST_TRAITS]
    if more:
        yield f"More than others: {', '.join(_compared(trait) for trait in more)}."
    if less:
        yield f"Less than others: {', '.join(_compared(trait) for trait in less)}."
    if not more and not less:
        yield "In no feature clearly unlike the others."


def _compared(trait: Trait) -> str:
    if ":" in trait.feature or trait.feature.endswith(("_share", "_rate")):
        return f"{readable(trait.feature)} {trait.mean:.0%} (others {trait.mean_outside:.0%})"
    return f"{readable(trait.feature)} {_number(trait.mean)} (others {_number(trait.mean_outside)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _session_sentences(behaviour: Behaviour) -> Iterator[str]:
    daypart, device = behaviour.mixes.get("daypart"), behaviour.mixes.get("device_type")
    habits = []
    if daypart:
        name, share = next(iter(daypart.items()))
        habits.append(f"{share:.0%} of sessions in the {name}")
    if device:
        name, share = next(iter(device.items()))
        habits.append(f"{share:.0%} on {name}")
    if habits:
        yield f"They come with {', '.join(habits)}."
    if behaviour.median_pages > 0:
        yield (
            f"A typical session has {behaviour.median_pages:.0f} pages in {behaviour.median_minutes:.1f} minutes."
        )
    if behaviour.funnel.get("view") and behaviour.funnel["purchase"] < behaviour.funnel["view"]:
        lost = _largest_loss(behaviour.funnel)
        bought = behaviour.funnel["purchase"] / behaviour.funnel["view"]
        yield f"{bought:.1%} of sessions end in a purchase{f'; most are lost {lost}' if lost else ''}."
    if behaviour.triggers:
        told = ", ".join(f"{_signal(t.signal)} (×{t.lift:.1f})" for t in behaviour.triggers[:3])
        yield f"Sessions convert more often after {told}."


def _signal(name: str) -> str:
    """A micro-interaction as words: `hover:price` is "hover on price"."""
    return name.replace(":", " on ").replace("_", " ")


def _largest_loss(funnel: dict[str, int]) -> str:
    """The step after the cart at which most sessions stop; empty if there are no carts."""
    steps = [
        ("between cart and checkout", "cart", "checkout"),
        ("between checkout and purchase", "checkout", "purchase"),
    ]
    losses = {words: funnel[before] - funnel[after] for words, before, after in steps if funnel[before]}
    return max(losses, key=lambda words: losses[words]) if any(losses.values()) else ""


def tell_personas(
    found: Segmentation,
    behaviours: dict[int, Behaviour] | None = None,
    feedback: dict[int, dict[str, int]] | None = None,
) -> None:
    """Write persona, sessions and feedback into the profiles of a segmentation."""
    behaviours, feedback = behaviours or {}, feedback or {}
    for index, profile in enumerate(found.profiles):
        behaviour = behaviours.get(profile.segment)
        details = dict(profile.details)
        if behaviour is not None:
            details["behaviour"] = asdict(behaviour)
        if profile.segment in feedback:
            details["feedback"] = feedback[profile.segment]
        found.profiles[index] = replace(profile, persona=persona_text(profile, behaviour), details=details)
