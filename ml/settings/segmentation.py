"""Settings of the section `segmentation`."""

from typing import Literal

from pydantic import Field, PositiveInt

from ml.settings.section import Section

Share = float
Algorithm = Literal["kmeans", "gaussian_mixture", "dbscan", "hdbscan"]


class RoleSettings(Section):
    """Patterns of the columns that form segments (none: every numeric one) and by which segments are judged."""

    features: list[str]
    otherwise: list[str]
    outcomes: list[str]


class EvidenceSettings(Section):
    """How much must be known of a user who helps to shape the segments."""

    column: str
    minimum: float = Field(ge=0)


class PreparationSettings(Section):
    """How raw features become the space in which segments are sought."""

    rare_key_share: Share = Field(ge=0, lt=1)
    missing: dict[str, str | float]
    winsor_limit: float = Field(gt=0)
    skew_threshold: float = Field(ge=0)
    false_discovery_rate: Share = Field(gt=0, lt=1)
    minimum_information: float = Field(ge=0)
    redundant_correlation: Share = Field(gt=0, le=1)
    component_quantile: Share = Field(gt=0, lt=1)


class ChoiceSettings(Section):
    """The rule that picks algorithm and number of segments."""

    algorithms: list[Algorithm] = Field(min_length=1)
    segments_min: int = Field(ge=2)
    segments_max: int = Field(ge=2)
    starts: PositiveInt
    sample_rows: PositiveInt
    silhouette_rows: PositiveInt
    stability_rows: PositiveInt
    resamples: int = Field(ge=2)
    null_references: int = Field(ge=3)
    null_excess: float = Field(ge=0)
    null_margin: float = Field(ge=0)
    minimum_stability: Share = Field(ge=0, le=1)
    minimum_share: Share = Field(ge=0, lt=0.5)
    maximum_noise: Share = Field(ge=0, le=1)
    tie_errors: float = Field(ge=0)
    incumbent_margin: Share = Field(ge=0)


class LabelSettings(Section):
    """How reports call a feature, and the unit of its values: `share`, `per_page` or a word."""

    text: str
    unit: str


class AudienceSettings(Section):
    """How often and when people may be written to."""

    cap_contacts: PositiveInt
    cap_days: float = Field(gt=0)
    quiet_days: float = Field(ge=0)
    quiet_from_hour: int = Field(ge=0, le=23)
    quiet_until_hour: int = Field(ge=0, le=23)


class CampaignSettings(Section):
    """An audience that is written on schedule."""

    segment: str
    exclude_contacted_days: float = Field(ge=0)
    hold_out: Share = Field(ge=0, le=0.9)


class SegmentationSettings(Section):
    """Knobs of `segmentation`; their reasons stand in settings.yaml."""

    rules_file: str
    roles: RoleSettings
    evidence: EvidenceSettings
    preparation: PreparationSettings
    choice: ChoiceSettings
    minimum_segment_size: PositiveInt
    words: dict[str, dict[str, str]]
    labels: dict[str, LabelSettings]
    hints: dict[str, list[str]]
    runs_remembered: PositiveInt
    audiences: AudienceSettings
    campaigns: dict[str, CampaignSettings]
    validation_days: float = Field(gt=0)
    validation_draws: PositiveInt
    surrogate_leaves: PositiveInt
