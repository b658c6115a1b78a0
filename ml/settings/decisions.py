"""Settings of the section `decisions`."""

from pydantic import Field

from ml.settings.section import Section


class BlendSettings(Section):
    """How the weights of the sources are learned; reasons stand in settings.yaml."""

    train_events: int = Field(ge=0)
    train_questions: int = Field(ge=1)
    minimum_questions: int = Field(ge=1)
    seed: int


class RefitSettings(Section):
    """The blend learned again while the service runs; reasons stand in settings.yaml."""

    enabled: bool
    sample_every: int = Field(ge=1)
    kept_questions: int = Field(ge=100)
    minimum_questions: int = Field(ge=100)
    new_questions: int = Field(ge=1)
    waiting_answers: int = Field(ge=1)
    waiting_seconds: float = Field(ge=0)
    time_share: float = Field(gt=0, le=1)
    saved_seconds: float = Field(gt=0)


class OnlineLearningSettings(Section):
    """Learning between two trainings; reasons stand in settings.yaml."""

    enabled: bool
    rate: float = Field(gt=0, le=1)
    bound: float = Field(gt=0)
    decay: float = Field(ge=0, lt=1)
    remembered_answers: int = Field(ge=1)
    snapshot_updates: int = Field(ge=1)
    kept_snapshots: int = Field(ge=1)
    refit: RefitSettings


class DiversitySettings(Section):
    """What keeps a list from being all of one kind; reasons stand in settings.yaml."""

    max_category_share: float = Field(gt=0, le=1)
    trade_off: float = Field(ge=0, le=1)
    calibration: float = Field(ge=0, le=1)
    exploration_share: float = Field(ge=0, le=0.5)
    exploration_max_openings: int = Field(ge=1)


class CapSettings(Section):
    """How often one thing may be shown to one person; reasons stand in settings.yaml."""

    item_impressions_per_day: int = Field(ge=1)
    campaign_impressions_per_day: int = Field(ge=1)
    slot_impressions_per_hour: int = Field(ge=1)
    fatigue_after_impressions: int = Field(ge=1)
    fatigue_penalty: float = Field(ge=0)


class BanditSettings(Section):
    """The bandit that chooses among a rule's variants; reasons stand in settings.yaml."""

    reward_window_seconds: float = Field(gt=0)
    exchange_seconds: float = Field(gt=0)
    exploration: float = Field(ge=0)
    draws: int = Field(ge=10)
    minimum_propensity: float = Field(gt=0, lt=0.5)


class DaypartSettings(Section):
    """First local hour of each part of the day."""

    morning: int = Field(ge=0, le=23)
    midday: int = Field(ge=0, le=23)
    afternoon: int = Field(ge=0, le=23)
    evening: int = Field(ge=0, le=23)
    night: int = Field(ge=0, le=23)


class DecisionSettings(Section):
    """Knobs of `decisions`; their reasons stand in settings.yaml."""

    rules_file: str
    new_item_openings: int = Field(ge=1)
    blend: BlendSettings
    online_learning: OnlineLearningSettings
    diversity: DiversitySettings
    caps: CapSettings
    bandit: BanditSettings
    dayparts: DaypartSettings
