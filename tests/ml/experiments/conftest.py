"""A small site with a randomized experiment whose truth is known, and the settings of experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.definition.definition import Experiment, ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_metric_library
from ml.settings.experiments import ExperimentSettings

START = datetime(2026, 9, 7, tzinfo=UTC)


@dataclass(frozen=True)
class Site:
    """Marts `exposures` and `experiment_outcomes` of one experiment."""

    exposures: pa.Table
    outcomes: pa.Table


@pytest.fixture(scope="session")
def settings() -> ExperimentSettings:
    return ExperimentSettings()


@pytest.fixture(scope="session")
def define() -> Callable[..., ExperimentDefinitions]:
    def build(**changes: Any) -> ExperimentDefinitions:
        fields: dict[str, Any] = {
            "id": "ranker",
            "hypothesis": "A better ranker brings more clicks",
            "unit": "user",
            "variants": {"control": {"share": 0.5}, "challenger": {"share": 0.5}},
            "primary_metric": "clicks_per_user",
            "secondary_metrics": ("conversion", "page_views_per_session", "retention_next_week"),
            "guardrails": ({"metric": "rejection_rate", "margin": 0.1},),
            "minimum_detectable_effect": 0.03,
            "starts_at": START,
            "ends_at": START + timedelta(days=28),
            "decision": {"planned_units": 8000},
        }
        experiment = Experiment.model_validate({**fields, **changes})
        return ExperimentDefinitions(metrics=load_metric_library(), experiments={experiment.id: experiment})

    return build


@pytest.fixture(scope="session")
def simulate() -> Callable[..., Site]:
    return _simulate


def _simulate(
    n_units: int,
    *,
    seed: int = 1,
    lift: float = 0.0,
    lifts: dict[str, float] | None = None,
    intake_days: int = 28,
    split: float = 0.5,
) -> Site:
    """Simulate users of three segments with different click rates.

    The treatment scales their clicks after the exposure.
    """
    rng = np.random.default_rng(seed)
    segment = rng.choice(["fans", "regulars", "guests"], size=n_units, p=[0.2, 0.5, 0.3])
    level = np.array([{"fans": 3.0, "regulars": 1.0, "guests": 0.3}[name] for name in segment])
    rate = rng.gamma(2.0, level / 2.0)
    treated = rng.random(n_units) < split
    factor = 1 + np.array([(lifts or {}).get(name, lift) for name in segment]) * treated
    exposed = np.sort(rng.integers(0, intake_days * 86_400, n_units))
    ids = np.array([f"u{i}" for i in range(n_units)])
    day = np.tile(np.arange(-14, 14), n_units)
    unit = np.repeat(np.arange(n_units), 28)
    clicks = rng.poisson(np.repeat(rate, 28) * np.where(day >= 0, np.repeat(factor, 28), 1.0) / 4)
    sessions = np.maximum(rng.poisson(np.repeat(rate, 28) / 6), clicks > 0).astype(np.int64)
    kept = (sessions > 0) | (day == 0)
    sessions[day == 0] = np.maximum(sessions[day == 0], 1)
    rows = np.flatnonzero(kept)
    page_views = sessions[rows] + rng.poisson(clicks[rows])
    purchases = (rng.random(len(rows)) < 0.02 * np.repeat(factor, 28)[rows]).astype(np.int64)
    columns: dict[str, Any] = {
        "user_id": ids[unit[rows]],
        "day": day[rows],
        "clicks": clicks[rows],
        "sessions": sessions[rows],
        "page_views": page_views,
        "engaged_seconds": page_views * rng.gamma(2.0, 20.0, len(rows)),
        "impressions": 3 * page_views,
        "recommendation_clicks": rng.binomial(clicks[rows], 0.3),
        "purchases": purchases,
        "revenue": purchases * rng.lognormal(3.5, 0.9, len(rows)),
        "add_to_carts": purchases + (rng.random(len(rows)) < 0.05),
        "dislikes": (rng.random(len(rows)) < 0.01).astype(np.int64),
    }
    times = [START + timedelta(seconds=int(s)) for s in exposed]
    exposures = pa.table(
        {
            "unit_id": ids,
            "user_id": ids,
            "variant": np.where(treated, "challenger", "control"),
            "first_exposed_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "segment": segment,
        }
    )
    return Site(exposures, pa.table(columns))
