"""What the service needs for new users: the questions that tell most, and the gain from their answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.arrays import Bools
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.newcomers.onboarding import Question, onboarding_questions
from ml.recommenders.newcomers.profile_prompts import Prompt, next_prompt
from ml.recommenders.training_data import TrainingData

FILE = "welcome.json"
QUESTIONS = 12  # more than anybody answers; the service asks the first ones
TOPIC_FAMILIES = ("category", "tags")  # of item features: what `interests` of the preferences may name


@dataclass(frozen=True)
class Welcome:
    """Onboarding questions, and the measured gain from knowing more of a user.

    Attributes:
        topics: questions about topics; the id without its family is what `interests` takes.
        learning_curve: NDCG@10 by number of known events, of the champion's fold-in.
        consent_gains: measured gain in NDCG@10 by purpose of consent.
    """

    topics: tuple[Question, ...]
    learning_curve: Mapping[int, float]
    consent_gains: Mapping[str, float]

    @classmethod
    def prepare(
        cls,
        recommender: Recommender,
        data: TrainingData,
        learning_curve: Mapping[int, float],
        consent_gains: Mapping[str, float],
    ) -> Welcome:
        """Choose the questions by the champion's vectors; none for a champion without vectors, or without topics.

        Args:
            recommender: the champion.
            data: what the champion was fitted on.
            learning_curve: NDCG@10 by number of known events.
            consent_gains: measured gain in NDCG@10 of each purpose.
        """
        topics: list[Question] = []
        if isinstance(recommender, FactorRecommender) and data.item_features is not None:
            families = data.item_features.families()
            topic_features = data.item_features.select(_mask(families))
            if len(topic_features.names):
                topics = onboarding_questions(recommender, data.interactions, topic_features, QUESTIONS, "topic")
        curve = {events: value for events, value in learning_curve.items() if math.isfinite(value)}
        gains = {purpose: gain for purpose, gain in consent_gains.items() if math.isfinite(gain)}
        return cls(tuple(topics), curve, gains)

    def choices(self) -> list[str]:
        """List the answers to choose from, those that tell most first, each name once."""
        return list(dict.fromkeys(topic.id.split(":", 1)[-1] for topic in self.topics))

    def prompt(
        self,
        known_events: int,
        interests: list[str],
        granted: frozenset[str],
        incentive: str | None,
        least_gain: float,
    ) -> Prompt | None:
        """Choose the prompt that helps this user most, None if none helps enough."""
        answered = frozenset(topic.id for topic in self.topics if topic.id.split(":", 1)[-1] in interests)
        return next_prompt(
            known_events,
            list(self.topics),
            answered,
            self.learning_curve,
            self.consent_gains,
            granted,
            incentive,
            least_gain,
        )

    def save(self, file: Path) -> None:
        """Write as JSON."""
        document: dict[str, Any] = {
            "topics": [asdict(topic) for topic in self.topics],
            "learning_curve": {str(events): value for events, value in self.learning_curve.items()},
            "consent_gains": dict(self.consent_gains),
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Welcome:
        """What `save` wrote."""
        document = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            tuple(Question(**{**topic, "rows": tuple(topic["rows"])}) for topic in document["topics"]),
            {int(events): value for events, value in document["learning_curve"].items()},
            document["consent_gains"],
        )


def _mask(families: list[str]) -> Bools:
    return np.array([family in TOPIC_FAMILIES for family in families], dtype=bool)
