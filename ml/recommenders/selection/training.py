"""From settings to a training run: which configurations, on which split, under which guardrails."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ml.evaluation.gate import Guardrail
from ml.evaluation.splits import NothingLikedError
from ml.recommenders.base import Recommender
from ml.recommenders.data_split import DataSplit
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.frames import TrainingFrames, split_between, split_moment
from ml.recommenders.training_data import TrainingData
from ml.recommenders.training_engine import LocalTraining, TrainingEngine
from ml.settings.evaluation import EvaluationSettings
from ml.settings.recommenders import RecommenderSettings

BY_MOMENT = "time"  # the split that has one moment for everybody
NO_MOMENT = (
    "the split {!r} has no moment: features and segments are as they are now, which flatters models that use them"
)


def planned_configurations(
    settings: RecommenderSettings, champion: Mapping[str, Any] | None
) -> list[Configuration]:
    """The baseline, the configured candidates and the champion's own configuration, each once."""
    planned = [Configuration(settings.baseline, {})]
    planned += [Configuration(candidate.model, candidate.params) for candidate in settings.candidates]
    if champion is not None:
        planned.append(Configuration.from_dict(champion))
    return [configuration for place, configuration in enumerate(planned) if configuration not in planned[:place]]


def trained(
    configuration: Configuration,
    data: TrainingData,
    before: Recommender | None,
    epochs: int,
    engine: TrainingEngine | None = None,
) -> Recommender:
    """The configuration on all the data; a hybrid that was trained before goes on from there.

    Args:
        configuration: the model and its parameters.
        data: interactions and features to fit on.
        before: the same configuration on older data; None: begin anew.
        epochs: passes with which a hybrid goes on.
        engine: what fits; None: this process.
    """
    if isinstance(before, LightFMHybrid) and before.params() == configuration.make().params():
        return before.update(data.interactions, data.user_features, data.item_features, epochs)
    return (engine or LocalTraining()).fit(configuration.make(), data)


def champion_configuration(params: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that a champion's run recorded."""
    configuration: dict[str, Any] = json.loads(params["configuration"])
    return configuration


def guardrails_of(settings: EvaluationSettings) -> list[Guardrail]:
    """The guardrails of the settings in the gate's form."""
    return [Guardrail(rail.metric, rail.floor, rail.largest_drop) for rail in settings.guardrails]


class FrameSplits:
    """A site's history, split for the choice of a model: a test split, a validation split, and all of it.

    Args:
        read: Reads the frames as of a moment; None for now.
        evaluation: How interactions are held back.
        recommenders: Which columns become features.
    """

    def __init__(
        self,
        read: Callable[[dt.datetime | None], TrainingFrames],
        evaluation: EvaluationSettings,
        recommenders: RecommenderSettings,
    ) -> None:
        self._read = read
        self._evaluation = evaluation
        self._recommenders = recommenders

    @cached_property
    def now(self) -> TrainingFrames:
        """The frames that the final model is trained on."""
        return self._read(None)

    @cached_property
    def then(self) -> TrainingFrames:
        """The frames as of the split, without people who have withdrawn their consent since.

        A split without a moment has no earlier frames than those of now.
        """
        return self._before(self.now) if self._evaluation.split == BY_MOMENT else self.now

    @cached_property
    def test_split(self) -> DataSplit:
        """The split that candidates are fitted on and measured by.

        Raises:
            EmptySplitError: One of the two sides would be empty.
            NothingLikedError: Nobody likes anything of what is held back.
        """
        if self._evaluation.split == BY_MOMENT:
            split = split_between(self.then, self.now, self._recommenders)
        else:
            split = self._by_split(self.now.training_data(self._recommenders))
            split = replace(split, warnings=(*split.warnings, NO_MOMENT.format(self._evaluation.split)))
        if not split.test.liked.nnz:
            raise NothingLikedError(
                f"all {split.test.n_pairs:,} interactions that are held back to judge by are rejections, such as "
                "dislikes. Check whether the newest events of the site are complete, or hold back others by the "
                "settings `evaluation.split` and `evaluation.test_share`"
            )
        return split

    @cached_property
    def validation_split(self) -> DataSplit:
        """The training side of the test split, split again, to search parameters and to judge features."""
        if self._evaluation.split == BY_MOMENT:
            return split_between(self._before(self.then), self.then, self._recommenders)
        return self._by_split(self.test_split.train)

    def _before(self, frames: TrainingFrames) -> TrainingFrames:
        """The frames as of the moment that splits these ones."""
        earlier = self._read(split_moment(frames, self._evaluation.test_share))
        return earlier.of_users(frames.users["user_id"])

    def _by_split(self, data: TrainingData) -> DataSplit:
        kind, seed = self._evaluation.split, self._evaluation.seed
        options = {} if kind == "leave-last-out" else {"share": self._evaluation.test_share}
        return DataSplit.of(data, kind, seed, **options)
