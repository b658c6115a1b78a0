"""Compare a new model with the former one while it answers some of the people, and decide what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.experiments.analysis.estimates import EffectEstimate
from ml.experiments.analysis.inference import EffectInterval, infer_always_valid
from ml.settings.evaluation import CanarySettings

CANARY, CHAMPION = "canary", "champion"
EXPECTED_PEOPLE = 20.0
"""If as many people should have been answered and nobody was, something keeps the new model from answering."""
ARRIVAL_DAYS = 2.0
"""Days that services have to take a new bundle."""
Decision = Literal["go_on", "promote", "roll_back"]


@dataclass(frozen=True)
class AnsweredPeople:
    """What one model answered.

    Attributes:
        people: People whom it answered; somebody who signs in is another one from then on.
        answers: Answers to them.
        clicked_answers: Answers that were clicked.
        share: `clicked_answers / answers`, NaN without answers.
        variance: Variance of `share` over people, NaN for fewer than two.
    """

    people: int
    answers: int
    clicked_answers: int
    share: float
    variance: float


@dataclass(frozen=True)
class CanaryComparison:
    """The canary against the champion.

    Attributes:
        canary: What the new model answered.
        champion: What the former one answered meanwhile.
        change: Relative change of the share of clicked answers, with an interval that holds at every look.
    """

    canary: AnsweredPeople
    champion: AnsweredPeople
    change: EffectInterval

    def figures(self) -> dict[str, float]:
        """Return the numbers by name, for the record of a look."""
        return {
            "canary_share_clicked": self.canary.share,
            "champion_share_clicked": self.champion.share,
            "canary_people": self.canary.people,
            "champion_people": self.champion.people,
            "canary_answers": self.canary.answers,
            "champion_answers": self.champion.answers,
            "change": self.change.value,
            "change_low": self.change.low,
            "change_high": self.change.high,
        }

    def describe(self) -> str:
        """Return what was measured, as a clause."""
        if not self.canary.answers or not self.champion.answers:
            return f"the new model answered {self.canary.people:,} people, the former one {self.champion.people:,}"
        text = f"{self.canary.share:.1%} of the new model's answers were clicked"
        text += f", {self.champion.share:.1%} of the former one's"
        if not isfinite(self.change.value):
            return text
        bounds = f", {self.change.low:+.1%} to {self.change.high:+.1%}" if self.change.is_bounded else ""
        return f"{text} ({self.change.value:+.1%}{bounds})"


@dataclass(frozen=True)
class CanaryVerdict:
    """What is to be done, and why, as a sentence."""

    decision: Decision
    text: str


def compare_canary(people: pa.Table, planned_people: int, settings: CanarySettings) -> CanaryComparison:
    """Compare the shares of clicked answers over people.

    A person's answers resemble each other, so the unit is the person: the variance is that of a ratio of sums over
    people (delta method).

    Args:
        people: One row per person and model: `role`, `answers`, `clicked_answers`.
        planned_people: For how many people in both arms the interval is narrowest. It has to be chosen before the
            first look.
        settings: Confidence, and the people below which nothing is known.
    """
    canary, champion = (
        answered_people(people.filter(pc.equal(people["role"], role))) for role in (CANARY, CHAMPION)
    )
    estimate = EffectEstimate(
        champion.share, canary.share, champion.variance, canary.variance, champion.people, canary.people
    )
    result = infer_always_valid(estimate, 1 - settings.confidence, planned_people, settings.least_people)
    return CanaryComparison(canary, champion, result.relative)


def judge_canary(comparison: CanaryComparison, days: float, settings: CanarySettings) -> CanaryVerdict:
    """Decide about a canary.

    It is rolled back once it is certain to be worse, and promoted once a loss above `tolerated_loss` is ruled out.
    After `most_days` the measured change decides; where too few people were answered to measure one, the gate's
    judgement stands. A model that answers nobody for days, as services refuse its bundle, is rolled back too.

    Args:
        comparison: What was measured so far.
        days: Days since the canary was chosen.
        settings: The rules.
    """
    change, measured = comparison.change, comparison.describe()
    expected = settings.share / (1 - settings.share) * comparison.champion.people
    if not comparison.canary.people and expected >= EXPECTED_PEOPLE and days >= ARRIVAL_DAYS:
        text = f"It answered nobody in {days:.0f} days, and the former model {comparison.champion.people:,} people"
        return CanaryVerdict("roll_back", f"{text}: GET /readyz of the service says why.")
    if change.high < 0:
        return CanaryVerdict("roll_back", f"It is worse: {measured}.")
    if change.low > -settings.tolerated_loss:
        return CanaryVerdict("promote", f"It is not worse by more than {settings.tolerated_loss:.0%}: {measured}.")
    if days < settings.most_days:
        return CanaryVerdict("go_on", f"Nothing is certain yet: {measured}.")
    least = min(comparison.canary.people, comparison.champion.people)
    if least < settings.least_people or not isfinite(change.value):
        return CanaryVerdict(
            "promote",
            f"After {days:.0f} days too few people were answered to tell the models apart, so the test before"
            f" counts: {measured}.",
        )
    text = f"After {days:.0f} days nothing is certain, and the measured change decides: {measured}."
    return CanaryVerdict("promote" if change.value > -settings.tolerated_loss else "roll_back", text)


def answered_people(people: pa.Table) -> AnsweredPeople:
    """Sum up answers over people, one row each: `answers`, `clicked_answers`."""
    answers, clicked = (people[name].to_numpy().astype(np.float64) for name in ("answers", "clicked_answers"))
    n, total = len(people), float(answers.sum())
    share = float(clicked.sum()) / total if total else nan
    variance = nan
    if n > 1 and total:
        variance = float(((clicked - share * answers) ** 2).sum()) * n / (n - 1) / total**2
    return AnsweredPeople(n, int(total), int(clicked.sum()), share, variance)
