"""Progressive profiling: the next prompt for a user, with the benefit that an answer has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ml.recommenders.newcomers.onboarding import Question


@dataclass(frozen=True)
class Prompt:
    """A prompt that asks a user for data.

    Attributes:
        field: what is asked for: a question's id, or a purpose of consent.
        benefit: what the person gets from answering, in words.
        incentive: an extra offer such as early access; None where the settings offer none.
        gain: expected gain in NDCG@10 for this person.
        is_consent: whether a purpose of consent is asked for, not an answer to a question.
    """

    field: str
    benefit: str
    incentive: str | None
    gain: float
    is_consent: bool = False


def next_prompt(
    known_events: int,
    questions: list[Question],
    answered: frozenset[str],
    learning_curve: Mapping[int, float],
    consent_gains: Mapping[str, float],
    granted: frozenset[str],
    incentive: str | None = None,
    least_gain: float = 0.002,
) -> Prompt | None:
    """Choose the prompt that would help this user most, None if none would help enough.

    Args:
        known_events: of the person.
        questions: questions that may be put to the person.
        answered: ids of the questions that the person has answered.
        learning_curve: NDCG@10 by number of known events, as `cold_start_curves` measured it for fold-in.
        consent_gains: measured gain in NDCG@10 of each purpose, such as location.
        granted: purposes that the person has granted.
        incentive: what is offered for a consent; None: nothing.
        least_gain: gain in NDCG@10 below which nobody is asked.
    """
    prompts = []
    open_questions = [question for question in questions if question.id not in answered]
    if open_questions and learning_curve:
        best = max(open_questions, key=lambda question: question.information)
        events = known_events + len(answered)
        gain = _at(learning_curve, events + 1) - _at(learning_curve, events)
        words = f"Tell us about {best.id.split(':', 1)[-1]}, and your very next page fits you better"
        prompts.append(Prompt(best.id, words, None, gain))
    for purpose, gain in consent_gains.items():
        if purpose not in granted:
            words = f"Share your {purpose}, and what we show fits you better; you can take it back at any time"
            prompts.append(Prompt(purpose, words, incentive, gain, is_consent=True))
    best_prompt = max(prompts, key=lambda prompt: prompt.gain, default=None)
    return best_prompt if best_prompt is not None and best_prompt.gain >= least_gain else None


def _at(curve: Mapping[int, float], events: int) -> float:
    """The curve between its points, by straight lines; flat outside."""
    points = sorted(curve)
    return float(np.interp(events, points, [curve[point] for point in points]))
