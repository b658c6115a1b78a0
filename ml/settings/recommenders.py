"""Settings of the section `recommenders`: which models compete, and on what they are trained."""

from typing import Any

from pydantic import model_validator

from ml.settings.engines import Engine
from ml.settings.section import Section, knob


class CandidateSettings(Section):
    """One model of the zoo that takes part in the choice, with the parameters that differ from its own."""

    model: str
    params: dict[str, Any]


WORK_OF_MINUTE = 60  # units, which are about seconds


class SearchSettings(Section):
    """How much is searched for parameters before a training, and of which models."""

    work: float = knob(
        0,
        "Budget of one training; 0 searches nothing, 600 are enough for dozens of trials on a million clicks.",
        unit="units of work, about seconds of one core",
        ge=0,
    )
    models: list[str] = knob(
        ["lightfm_warp", "als"],
        "Models whose parameters are searched; `tessera tune --help` lists those that can be.",
        min_length=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _read_former_minutes(cls, values: Any) -> Any:
        """Take the budget of a file of an earlier version, which was in minutes."""
        if isinstance(values, dict) and isinstance(values.get("minutes"), int | float) and "work" not in values:
            rest = {name: value for name, value in values.items() if name != "minutes"}
            return {**rest, "work": WORK_OF_MINUTE * values["minutes"]}
        return values


class AblationSettings(Section):
    """On what the worth of feature families is measured: hybrids are also trained without each of them."""

    most_users: int = knob(
        500, "Users of the sample; the interval of a gain is then about .02 wide.", unit="users", gt=0
    )
    epochs: int = knob(4, "Passes of those trainings; the order shows after a few.", unit="passes", gt=0)


class ProfilingSettings(Section):
    """When and with what offer one more thing is asked of a person: one question at a time."""

    incentive: str | None = knob(
        None,
        "Words of an extra offer for shared data, such as `early access`; whether it works is an experiment.",
    )
    least_gain: float = knob(0.002, "Gain that an answer must bring to be worth a question.", unit="NDCG@10", ge=0)


class ColdStartSettings(Section):
    """How fast the champion learns of a newcomer, which decides what is worth asking."""

    most_users: int = knob(
        8000,
        "People of the measurement, a fifth of them newcomers; with 500 the curve was noise and fell.",
        unit="users",
        gt=0,
    )


class RecommenderSettings(Section):
    """The competition of models, and the lists that the champion publishes."""

    engine: Engine = knob(
        "local",
        "Where models are fitted and lists ranked. With `spark`, the models `als` and `rating_factors` are fitted"
        " by Spark's MLlib with the same parameters, and every model ranks on the cluster of the section `spark`.",
    )
    baseline: str = knob("popularity", "What every candidate must beat.")
    candidates: list[CandidateSettings] = knob(
        [
            CandidateSettings(model="trending", params={"half_life_days": 2.0}),
            CandidateSettings(model="lightfm_warp", params={"n_factors": 32, "epochs": 10, "threads": 1}),
        ],
        "Models that are fitted on the past and measured on what came next; `params` change the model's own"
        " defaults. With `threads: 1` LightFM gives the same model for the same data; null uses all cores, never"
        " gives the same model twice, and is slower on small data.",
        min_length=1,
    )
    update_epochs: int = knob(
        0,
        "Passes with which a hybrid champion goes on when a daily run only refreshes it; 0 fits from scratch. On"
        " films 3 passes rank as a fit does in an eighth of the time; on news, where features carry all, worse.",
        unit="passes",
        ge=0,
    )
    search: SearchSettings = SearchSettings()
    ablation: AblationSettings = AblationSettings()
    cold_start: ColdStartSettings = ColdStartSettings()
    user_columns: list[str] = knob(
        ["device_type", "country", "language", "channel", "engagement_class", "daypart"],
        "Columns of users that are features: what moves slowly.",
    )
    item_columns: list[str] = knob(
        ["category", "tags", "language", "features"], "Columns of items that are features."
    )
    profiling: ProfilingSettings = ProfilingSettings()
    list_length: int = knob(
        50,
        "Items per user in the published lists: more than the service shows, because it reranks and caps.",
        unit="items",
        gt=0,
    )
