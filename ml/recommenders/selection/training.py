"""From settings to a training run: which configurations, on which split, under which guardrails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ml.evaluation.gate import Guardrail
from ml.evaluation.splits import Split, split
from ml.recommenders.base import Recommender, TrainingData
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.marts import TrainingTables
from ml.settings.evaluation import EvaluationSettings
from ml.settings.recommenders import RecommenderSettings


def planned_configurations(
    settings: RecommenderSettings, champion: Mapping[str, Any] | None
) -> list[Configuration]:
    """The baseline, the configured candidates and the champion's own configuration, each once."""
    planned = [Configuration(settings.baseline, {})]
    planned += [Configuration(candidate.model, candidate.params) for candidate in settings.candidates]
    if champion is not None:
        planned.append(Configuration.from_dict(champion))
    return [found for place, found in enumerate(planned) if found not in planned[:place]]


def trained(
    configuration: Configuration, data: TrainingData, before: Recommender | None, epochs: int
) -> Recommender:
    """The configuration on all the data; a hybrid that was trained before goes on from there.

    Args:
        configuration: the model and its parameters.
        data: interactions and features to fit on.
        before: the same configuration on older data; None: begin anew.
        epochs: passes with which a hybrid goes on.
    """
    if isinstance(before, LightFMHybrid) and before.params() == configuration.make().params():
        return before.update(data.interactions, data.user_features, data.item_features, epochs)
    return configuration.make().fit_aligned(data)


def champion_configuration(params: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that a champion's run recorded."""
    configuration: dict[str, Any] = json.loads(params["configuration"])
    return configuration


def split_of(tables: TrainingTables, settings: EvaluationSettings) -> tuple[TrainingData, Split]:
    """The aligned data and its split into past and future."""
    data = TrainingData.align(tables.interactions, tables.user_features, tables.item_features)
    options = {} if settings.split == "leave-last-out" else {"share": settings.test_share}
    return data, split(data.interactions, settings.split, settings.seed, **options)


def guardrails_of(settings: EvaluationSettings) -> list[Guardrail]:
    """The guardrails of the settings in the gate's form."""
    return [Guardrail(rail.metric, rail.floor, rail.largest_drop) for rail in settings.guardrails]
