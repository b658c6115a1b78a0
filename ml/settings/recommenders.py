"""Settings of the section `recommenders`."""

from typing import Any

from pydantic import Field, NonNegativeInt, PositiveInt

from ml.settings.section import Section


class CandidateSettings(Section):
    """One model of the zoo that takes part in the choice, with the parameters that differ from its own."""

    model: str
    params: dict[str, Any]


class SearchSettings(Section):
    """How long parameters are searched before a training, and of which models."""

    minutes: float = Field(ge=0)
    models: list[str] = Field(min_length=1)


class AblationSettings(Section):
    """On what the worth of feature families is measured."""

    most_users: PositiveInt
    epochs: PositiveInt


class ProfilingSettings(Section):
    """When and with what offer one more thing is asked for."""

    incentive: str | None
    least_gain: float = Field(ge=0)


class ColdStartSettings(Section):
    """How the curves of newcomers are measured; reasons stand in settings.yaml."""

    most_users: PositiveInt


class RecommenderSettings(Section):
    """Knobs of `recommenders`; their reasons stand in settings.yaml."""

    baseline: str
    candidates: list[CandidateSettings] = Field(min_length=1)
    update_epochs: NonNegativeInt
    search: SearchSettings
    ablation: AblationSettings
    cold_start: ColdStartSettings
    profiling: ProfilingSettings
    user_columns: list[str]
    item_columns: list[str]
    list_length: PositiveInt
