"""Settings of the section `segmentation`: learned segments, segments by rule, and audiences."""

from typing import Literal

from pydantic import Field

from ml.settings.engines import Engine
from ml.settings.section import Section, knob
from ml.settings.segment_words import LABELS, NAME_WORDS, LabelSettings

Channel = Literal["mail", "push", "on_site"]
Algorithm = Literal["kmeans", "gaussian_mixture", "dbscan", "hdbscan"]


class RoleSettings(Section):
    """Shell patterns of the columns of the mart `users` that form segments and by which segments are judged.

    A table that is given to `tessera segment` uses every numeric column.
    """

    features: list[str] = knob(
        [
            *("category_shares:*", "daypart_shares:*", "device_shares:*"),
            *("*_rate", "mean_*", "engaged_seconds_per_view"),
        ],
        "In what manner somebody uses the site; how much is what the engagement class says.",
    )
    otherwise: list[str] = knob(
        [
            *("recency_days", "tenure_days", "frequency", "sessions"),
            *("purchases", "monetary", "weekend_share"),
        ],
        "Where fewer than three of the features vary, as in a list of invoices: how often, how lately, how much.",
    )
    outcomes: list[str] = knob(
        ["purchases", "active_days", "page_views"],
        "A feature that is associated with one of these, or with another feature, is relevant.",
    )
    categorical: list[str] = knob(
        [],
        "Columns whose values are names of categories, such as a region or an integer code. Each category becomes"
        " a feature, and the whole column weighs as much as one number does.",
    )


class EvidenceSettings(Section):
    """How much must be known of a user who helps to shape the segments; all others are only assigned to them."""

    column: str = knob("page_views", "The column that counts the evidence; on the simulator it lifts ARI by .02.")
    minimum: float = knob(
        10, "The least value of the column; below, shares are mostly chance.", unit="of column", ge=0
    )
    without_it: str = knob(
        "purchases", "The column that shows of whom something else is known, such as the orders of a shop."
    )
    most_without_it: float = knob(
        0.33,
        "Users who have only something else, up to whom the manner of the others forms the segments; with more of"
        " them, how often, how lately and how much forms the segments of everybody.",
        unit="share of users",
        ge=0,
        le=1,
    )
    of_totals: str = knob("events", "The column that counts the evidence where totals form the segments.")


class PreparationSettings(Section):
    """How raw features become the space in which segments are sought."""

    missing: dict[str, str | float] = knob(
        {"*_shares:*": "mean", "*_rate": "median"},
        "What replaces a missing value, by shell pattern of the feature: median, mean, zero or a number. The first"
        " match counts, and median where there is none. The means of shares add up to 1, as shares do.",
    )
    rare_key_share: float = knob(
        0.01,
        "A topic that fewer users know cannot make a segment, and a news site has hundreds of such topics.",
        unit="share of users",
        ge=0,
        lt=1,
    )
    winsor_limit: float = knob(
        6.0,
        "Distance from the median beyond which a value is an accident, not a kind of user.",
        unit="robust standard deviations",
        gt=0,
    )
    skew_threshold: float = knob(
        1.0,
        "Absolute skewness from which a feature is Yeo-Johnson transformed; an exponential has 2.",
        unit="skewness",
        ge=0,
    )
    false_discovery_rate: float = knob(
        0.05, "Expected share of irrelevant features among those kept.", unit="share of features", gt=0, lt=1
    )
    minimum_information: float = knob(
        0.005,
        "An association weaker than a rank correlation of about .1 separates nobody.",
        unit="nats",
        ge=0,
    )
    redundant_correlation: float = knob(
        0.95,
        "Absolute rank correlation from which two features say the same.",
        unit="correlation",
        gt=0,
        le=1,
    )
    component_quantile: float = knob(
        0.95,
        "A component stays if shuffled columns reach its variance in fewer than 5% of the cases.",
        unit="quantile",
        gt=0,
        lt=1,
    )


class ChoiceSettings(Section):
    """The rule that picks the algorithm and the number of segments."""

    algorithms: list[Algorithm] = knob(
        ["kmeans", "gaussian_mixture", "dbscan", "hdbscan"],
        "Algorithms in order of simplicity, which breaks ties.",
        min_length=1,
    )
    segments_min: int = knob(2, "Fewest segments that are tried.", unit="segments", ge=2)
    segments_max: int = knob(
        10,
        "Most segments that are tried; nobody can address more than ten in different ways.",
        unit="segments",
        ge=2,
    )
    segments: int | None = knob(
        None,
        "A number of segments that is formed whatever the evidence says; unset, the data decide the number.",
        unit="segments",
        ge=2,
    )
    starts: int = knob(5, "Random starts of each k-means fit; the best is kept.", unit="starts", gt=0)
    sample_rows: int = knob(
        5000,
        "Users on which candidates are compared; the winner is fitted to everybody.",
        unit="users",
        gt=0,
    )
    silhouette_rows: int = knob(
        1500,
        "Users among whom the silhouette is measured; its standard error is then about .005.",
        unit="users",
        gt=0,
    )
    stability_rows: int = knob(1500, "Users in a bootstrap resample and in a null reference.", unit="users", gt=0)
    resamples: int = knob(
        4,
        "Bootstrap resamples, which make 6 pairs; the standard error of their mean is about .02.",
        unit="resamples",
        ge=2,
    )
    null_references: int = knob(
        20, "Structureless data sets of the same shape to compare with.", unit="data sets", ge=3
    )
    significance: float = knob(
        0.03,
        "Probability of finding segments where there are none, over all numbers of segments together.",
        unit="probability",
        gt=0,
        lt=1,
    )
    null_excess: float = knob(
        0.0,
        "How far the silhouette must exceed the mean of the references, whatever the significance.",
        unit="standard deviations",
        ge=0,
    )
    cut_significance: float = knob(
        0.1,
        "Probability that one group of many users, cut in two, counts as two segments; up to three times as much"
        " for few users, among whom true groups would be missed.",
        unit="probability",
        gt=0,
        lt=1,
    )
    null_margin: float = knob(
        0.02,
        "How far it must exceed it at least, so that a trace of structure in much data is not called segments.",
        unit="silhouette",
        ge=0,
    )
    minimum_stability: float = knob(
        0.7,
        "Agreement between resamples below which segments would not come out again.",
        unit="adjusted Rand index",
        ge=0,
        le=1,
    )
    minimum_share: float = knob(0.02, "Least size of the smallest segment.", unit="share of users", ge=0, lt=0.5)
    maximum_noise: float = knob(
        0.4,
        "Users in no segment above which a density method does not describe the users.",
        unit="share of users",
        ge=0,
        le=1,
    )
    tie_errors: float = knob(
        2.0, "Difference within which two silhouettes are the same.", unit="standard errors", ge=0
    )
    incumbent_margin: float = knob(
        0.05,
        "Gain in silhouette that a new division needs before the division of the last run is given up.",
        unit="relative",
        ge=0,
    )


class AudienceSettings(Section):
    """How often and when people may be written to."""

    cap_contacts: int = knob(
        4, "Contacts of one person, over all audiences, within `cap_days`.", unit="contacts", gt=0
    )
    cap_days: float = knob(30, "Time over which contacts are counted.", unit="days", gt=0)
    channel: Channel = knob(
        "mail",
        "How people are addressed. Mail and push reach only people with a user id; a message on the site reaches"
        " every browser.",
    )
    quiet_days: float = knob(3, "Time after a contact in which there is no other.", unit="days", ge=0)
    quiet_from_hour: int = knob(21, "Local hour of the user from which nothing is sent.", unit="hour", ge=0, le=23)
    quiet_until_hour: int = knob(
        8, "Local hour of the user from which something may be sent again.", unit="hour", ge=0, le=23
    )


class CampaignSettings(Section):
    """An audience that is written on schedule."""

    segment: str
    exclude_contacted_days: float = Field(ge=0)
    hold_out: float = Field(ge=0, le=0.9)
    channel: Channel | None = None


class SegmentationSettings(Section):
    """How segments are learned, named, compared and used."""

    engine: Engine = knob(
        "local",
        "Where the pipeline fits the chosen division to everybody. With `spark`, Spark's MLlib fits k-means and"
        " full Gaussian mixtures on the cluster of the section `spark`.",
    )
    rules_file: str = knob("segments.yaml", "Name of the file with the segments by rule, in the site's folder.")
    minimum_segment_size: int = knob(
        20, "Nothing is published about fewer users, so that no one can be singled out.", unit="users", gt=0
    )
    roles: RoleSettings = RoleSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    preparation: PreparationSettings = PreparationSettings()
    choice: ChoiceSettings = ChoiceSettings()
    audiences: AudienceSettings = AudienceSettings()
    campaigns: dict[str, CampaignSettings] = knob(
        {
            "re_engagement": CampaignSettings(
                segment="engagement:inactive", exclude_contacted_days=30, hold_out=0.1
            ),
            "welcome": CampaignSettings(segment="engagement:new", exclude_contacted_days=14, hold_out=0.1),
        },
        "Audiences that the job `campaigns` writes to reports/audiences. `segment` is one of segments.yaml, a"
        " learned one or an expression; `hold_out` is the share of the members who are not contacted, the same"
        " ones each time, so that the effect of the contacts can be seen; `channel` replaces that of `audiences`.",
    )
    validation_days: float = knob(30, "The month in which segments have to predict something.", unit="days", gt=0)
    validation_draws: int = knob(
        200,
        "Random divisions of the same sizes to compare with; p-values are then good to .005.",
        unit="draws",
        gt=0,
    )
    surrogate_leaves: int = knob(
        12, "Leaves of the tree that explains the segments; more do not fit on one screen.", unit="leaves", gt=0
    )
    words: dict[str, dict[str, str]] = knob(
        NAME_WORDS,
        "Words of a segment's name by shell pattern of the feature; {key} is what stands after the colon, and"
        " `low ` before a feature means little of it.",
    )
    labels: dict[str, LabelSettings] = knob(
        LABELS,
        "How reports call a feature, by shell pattern. The unit is share (shown in %), per_page (shown per 100"
        " pages) or the unit's own name.",
    )
    hints: dict[str, list[str]] = knob(
        {
            "location": ["country", "region", "city", "timezone"],
            "personalization": ["age*", "gender*", "sex", "income*", "education*"],
        },
        "Columns that say who somebody is, by the purpose of consent; shown only of users who granted it.",
    )
    runs_remembered: int = knob(12, "Runs over which a segment's share is followed.", unit="runs", gt=0)
