"""When the analysis of an experiment is final."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_metric_library
from orchestration.warehouse.experiment_tables import is_final

START = datetime(2026, 9, 1, tzinfo=UTC)
DEFINITIONS = ExperimentDefinitions.model_validate(
    {
        "metrics": load_metric_library(),
        "experiments": {
            "hero": {
                "id": "hero",
                "hypothesis": "A new hero brings more clicks",
                "unit": "user",
                "variants": {"control": {"share": 0.5}, "new": {"share": 0.5}},
                "primary_metric": "clicks_per_user",  # a window of 7 days
                "secondary_metrics": ["conversion"],  # a window of 14 days
                "minimum_detectable_effect": 0.05,
                "starts_at": START,
                "ends_at": START + timedelta(days=28),
            }
        },
    }
)


@pytest.mark.parametrize(
    ("day", "final"),
    [(-3, False), (0, False), (28, False), (42, False), (43, True), (400, True)],
)
def test_an_analysis_is_final_a_day_after_the_last_unit_saw_the_longest_window(day: int, final: bool) -> None:
    as_of = START + timedelta(days=day)
    assert is_final(DEFINITIONS.get("hero"), DEFINITIONS, as_of) is final
