"""Settings of the section `segmentation`."""

from typing import Literal

from pydantic import Field, PositiveInt

from ml.settings.section import Section

Share = float
Algorithm = Literal["kmeans", "gaussian_mixture", "dbscan", "hdbscan"]


class RoleSettings(Section):
    """Which columns of the mart `users` are not what a segment is made of."""

    outcomes: list[str]
    volume: list[str]
    ignored: list[str]


class EvidenceSettings(Section):
    """How much must be known of a user who helps to shape the segments."""

    column: str
    minimum: float = Field(ge=0)


class PreparationSettings(Section):
    """How raw features become the space in which segments are sought."""

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


class SegmentationSettings(Section):
    """Knobs of `segmentation`; their reasons stand in settings.yaml."""

    roles: RoleSettings
    evidence: EvidenceSettings
    preparation: PreparationSettings
    choice: ChoiceSettings
    minimum_segment_size: PositiveInt
    words: dict[Literal["before", "noun", "after"], dict[str, str]]
