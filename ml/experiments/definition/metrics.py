"""Metrics as data.

A metric says what is measured for each unit, in which window after the exposure, and which direction is better.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MEASURES: tuple[str, ...] = (
    "sessions",
    "page_views",
    "engaged_seconds",
    "impressions",
    "clicks",
    "recommendation_clicks",
    "add_to_carts",
    "checkouts",
    "purchases",
    "revenue",
    "signups",
    "subscribes",
    "likes",
    "dislikes",
    "searches",
    "form_starts",
    "form_submits",
    "video_plays",
)
"""Columns of the marts `experiment_outcomes` and `user_days` that a metric may use."""


class _Metric(BaseModel):
    """Base class of all kinds. Days count from the unit's first exposure: day 0 is the first 24 hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    better: Literal["higher", "lower"] = "higher"
    window_days: int | None = Field(default=None, ge=1, le=90)
    """Length of the conversion window; None counts everything since the exposure."""
    covariate_days: int = Field(default=14, ge=0, le=28)
    """Days before the exposure whose measure is the CUPED covariate; 0 disables CUPED."""

    @property
    def start_day(self) -> int:
        """Return the first day that counts."""
        return 0

    @property
    def end_day(self) -> int | None:
        """Return the day after the last one that counts, None if there is no end."""
        return self.window_days

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the columns of the outcomes that the metric reads, without repeats."""
        return tuple(dict.fromkeys(self._columns()))

    def _columns(self) -> Iterator[str]:
        raise NotImplementedError


class ProportionMetric(_Metric):
    """Share of units whose `measure` reaches `at_least` within the window."""

    kind: Literal["proportion"]
    measure: str
    at_least: float = 1.0

    def _columns(self) -> Iterator[str]:
        yield self.measure


class MeanMetric(_Metric):
    """Mean over units of the sum of `measure` within the window."""

    kind: Literal["mean"]
    measure: str

    def _columns(self) -> Iterator[str]:
        yield self.measure


class RevenueMetric(_Metric):
    """Mean over units of `measure`, with each unit's sum capped at a quantile over the buyers of all variants."""

    kind: Literal["revenue"]
    measure: str = "revenue"
    winsorize_quantile: float = Field(default=0.99, gt=0.5, lt=1)

    def _columns(self) -> Iterator[str]:
        yield self.measure


class RatioMetric(_Metric):
    """Sum of `numerator` over sum of `denominator`; the unit remains the randomized one (delta method)."""

    kind: Literal["ratio"]
    numerator: str
    denominator: str

    def _columns(self) -> Iterator[str]:
        yield self.numerator
        yield self.denominator


class FunnelMetric(_Metric):
    """Share of the units with `from_measure` that also have `to_measure`: a step of a funnel (delta method)."""

    kind: Literal["funnel"]
    from_measure: str
    to_measure: str

    def _columns(self) -> Iterator[str]:
        yield self.from_measure
        yield self.to_measure


class RetentionMetric(_Metric):
    """Share of units active, by `measure`, on any day from `from_day` to before `to_day`."""

    kind: Literal["retention"]
    measure: str = "sessions"
    from_day: int = Field(ge=1, le=89)
    to_day: int = Field(ge=2, le=90)
    window_days: None = None

    @model_validator(mode="after")
    def _check_days(self) -> RetentionMetric:
        """Check that the days are in order."""
        if self.from_day >= self.to_day:
            raise ValueError(f"from_day {self.from_day} must be below to_day {self.to_day}")
        return self

    @property
    def start_day(self) -> int:
        """Return the first day that counts."""
        return self.from_day

    @property
    def end_day(self) -> int | None:
        """Return the day after the last one that counts."""
        return self.to_day

    def _columns(self) -> Iterator[str]:
        yield self.measure


class QuantileMetric(_Metric):
    """Quantile over units of the sum of `measure` within the window."""

    kind: Literal["quantile"]
    measure: str
    quantile: float = Field(gt=0, lt=1)
    covariate_days: Literal[0] = 0

    def _columns(self) -> Iterator[str]:
        yield self.measure


Metric = Annotated[
    ProportionMetric | MeanMetric | RevenueMetric | RatioMetric | FunnelMetric | RetentionMetric | QuantileMetric,
    Field(discriminator="kind"),
]
METRIC_KINDS: tuple[str, ...] = ("proportion", "mean", "revenue", "ratio", "funnel", "retention", "quantile")
RATIO_KINDS: tuple[str, ...] = ("ratio", "funnel")
"""Kinds whose units carry a numerator and a denominator."""
