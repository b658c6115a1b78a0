"""Settings of the section `decisions`: how the service ranks, limits, varies and learns between trainings."""

from ml.settings.section import Section, knob


class BlendSettings(Section):
    """How the weights of the sources of candidates are learned."""

    train_events: int = knob(
        300_000,
        "Newest events that the blend is learned from, about 40 µs each. The first third fills the memory: in one"
        " much shorter than `serving.state.max_changes` items look younger and pasts emptier than in the service."
        " On a news site it spans a day and a half, so that no single evening speaks for all hours.",
        unit="events",
        ge=0,
    )
    train_questions: int = knob(
        9_000,
        "Openings whose item the blend has to rank, less than 1 ms each, drawn from the rest.",
        unit="openings",
        ge=1,
    )
    minimum_questions: int = knob(
        500,
        "Openings below which the prior weights are kept, because trees on little data are noise.",
        unit="openings",
        ge=1,
    )
    seed: int = knob(7, "Seed of the openings that are drawn and of the trees.", unit="any integer")


class RefitSettings(Section):
    """A second ranker from the openings of the last hours, learned while the service runs."""

    enabled: bool = knob(True, "Whether it is learned; on Globo it lifts HR@5 by 2.5 to 3%.")
    waiting_answers: int = knob(
        2_000,
        "Answers kept whole until the opening comes that makes a training example of them; about 60 MB.",
        unit="answers",
        ge=1,
    )
    waiting_seconds: float = knob(
        600,
        "Time after which an opening has little to do with the answer, whose place goes to another.",
        unit="seconds",
        ge=0,
    )
    sample_every: int = knob(
        10,
        "One in so many openings without an answer is ranked before it counts, in less than 1 ms.",
        unit="openings",
        ge=1,
    )
    kept_questions: int = knob(
        5_000, "Newest training examples that it is learned from; about 60 MB.", unit="examples", ge=100
    )
    minimum_questions: int = knob(
        600,
        "Training examples below which nothing is learned, because trees on little data are noise.",
        unit="examples",
        ge=100,
    )
    new_questions: int = knob(300, "New training examples after which it is learned again.", unit="examples", ge=1)
    time_share: float = knob(
        0.25,
        "Time that ranking for training examples and learning may each take.",
        unit="share of time",
        gt=0,
        le=1,
    )
    saved_seconds: float = knob(
        3.0,
        "Ranking time that quiet periods save for a burst: events that arrive in thousands are sampled like single"
        " ones.",
        unit="seconds",
        gt=0,
    )


class OnlineLearningSettings(Section):
    """Learning from every answer between two trainings."""

    enabled: bool = knob(True, "Whether weights and item biases follow the openings between two trainings.")
    rate: float = knob(
        0.0001,
        "Step of a weight with each opening that follows an answer; .001 cost .003 of HR@5 on Globo.",
        unit="step",
        gt=0,
        le=1,
    )
    bound: float = knob(1.0, "Largest size of a weight or bias.", unit="standard deviations of the score", gt=0)
    decay: float = knob(
        0.0005, "Share by which they shrink towards zero with every step.", unit="share", ge=0, lt=1
    )
    remembered_answers: int = knob(
        20_000, "Answers that are kept to learn from when the opening comes.", unit="answers", ge=1
    )
    snapshot_updates: int = knob(
        500, "Updates between two snapshots, to which learning can be set back.", unit="updates", ge=1
    )
    kept_snapshots: int = knob(20, "Snapshots that are kept.", unit="snapshots", ge=1)
    refit: RefitSettings = RefitSettings()


class DiversitySettings(Section):
    """What keeps a list from being all of one kind."""

    max_category_share: float = knob(
        0.6,
        "Part of a list that one category may fill where others are at hand.",
        unit="share of the list",
        gt=0,
        le=1,
    )
    trade_off: float = knob(
        0.0,
        "Weight of unlikeness against the score; each champion's run in MLflow has the curve of its cost.",
        unit="weight",
        ge=0,
        le=1,
    )
    calibration: float = knob(
        0.0,
        "Weight of the shares of the person's own categories against the score.",
        unit="weight",
        ge=0,
        le=1,
    )
    exploration_share: float = knob(
        0.05,
        "Chance that the last place goes to a rarely opened item; propensities are logged.",
        unit="probability",
        ge=0,
        le=0.5,
    )
    exploration_max_openings: int = knob(
        20, "Openings in a day up to which an item counts as rarely opened.", unit="openings", ge=1
    )


class CapSettings(Section):
    """How often one thing may be shown to one person."""

    item_impressions_per_day: int = knob(
        20, "Impressions of one item to one person in 24 hours.", unit="impressions", ge=1
    )
    campaign_impressions_per_day: int = knob(
        5, "Impressions of one campaign to one person in 24 hours.", unit="impressions", ge=1
    )
    slot_impressions_per_hour: int = knob(
        500, "Answers of one slot to one person in an hour; more is a script.", unit="answers", ge=1
    )
    fatigue_after_impressions: int = knob(
        3, "Impressions without an opening after which an item sinks.", unit="impressions", ge=1
    )
    fatigue_penalty: float = knob(
        0.5, "What the score loses with each further impression.", unit="standard deviations", ge=0
    )


class BanditSettings(Section):
    """The bandit that chooses among a rule's variants."""

    reward_window_seconds: float = knob(
        1800,
        "Time after which a choice that nobody reacted to counts as failed; a session's silence.",
        unit="seconds",
        gt=0,
    )
    exchange_seconds: float = knob(
        10,
        "Time after which workers share what they learned; a worker that is killed loses no more.",
        unit="seconds",
        gt=0,
    )
    exploration: float = knob(
        1.0, "Width of the posterior that variants are drawn from; 1 is Thompson's own.", unit="factor", ge=0
    )
    draws: int = knob(200, "Draws from which a variant's propensity is counted.", unit="draws", ge=10)
    minimum_propensity: float = knob(
        0.02,
        "Chance that every variant keeps, so that off-policy estimates stay finite.",
        unit="probability",
        gt=0,
        lt=0.5,
    )


class DaypartSettings(Section):
    """First local hour of each part of the day, as rules name them."""

    morning: int = knob(5, "First hour of the morning.", unit="hour", ge=0, le=23)
    midday: int = knob(11, "First hour of midday.", unit="hour", ge=0, le=23)
    afternoon: int = knob(14, "First hour of the afternoon.", unit="hour", ge=0, le=23)
    evening: int = knob(18, "First hour of the evening.", unit="hour", ge=0, le=23)
    night: int = knob(23, "First hour of the night.", unit="hour", ge=0, le=23)


class DecisionSettings(Section):
    """Rules, ranking, diversity, caps and what the service learns while it runs."""

    rules_file: str = knob("rules.yaml", "Name of the file with the rules, in the site's folder.")
    new_item_openings: int = knob(
        2,
        "Openings after which an item that no catalogue knows may be shown; a single one may be a mistake.",
        unit="openings",
        ge=1,
    )
    only_readable_languages: bool = knob(
        True,
        "Whether people are shown only items in languages that they read, by their request, browser, events and"
        " history, and items without a language. Where nothing is left, all languages are shown.",
    )
    blend: BlendSettings = BlendSettings()
    online_learning: OnlineLearningSettings = OnlineLearningSettings()
    diversity: DiversitySettings = DiversitySettings()
    caps: CapSettings = CapSettings()
    bandit: BanditSettings = BanditSettings()
    dayparts: DaypartSettings = DaypartSettings()
