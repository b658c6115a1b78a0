"""When the analysis of an experiment is final."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import load_metric_library
from ml.settings import load_settings
from orchestration.warehouse.experiment_tables import fingerprint_analysis, is_final
from orchestration.warehouse.warehouse import Warehouse

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


def test_a_final_analysis_is_made_anew_when_what_it_depends_on_changes(tmp_path: Path) -> None:
    """A mended definition, a late event and an erased person count; row order and later visits do not."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    exposures = pa.table({"experiment_id": ["hero", "hero", "else"], "user_id": ["ann", "bob", "ann"]})
    outcomes = pa.table(
        {"experiment_id": ["hero"] * 3, "user_id": ["ann", "bob", "bob"], "day": [0, 3, 90], "clicks": [1, 2, 5]}
    )

    def fingerprint(
        exposed: pa.Table = exposures, seen: pa.Table = outcomes, definitions: ExperimentDefinitions = DEFINITIONS
    ) -> str:
        warehouse.write("exposures", exposed)
        warehouse.write("experiment_outcomes", seen)
        return fingerprint_analysis(warehouse, definitions.get("hero"), definitions, load_settings())

    before = fingerprint()
    assert fingerprint(exposures.take([1, 2, 0]), outcomes.take([2, 0, 1])) == before
    assert fingerprint(seen=outcomes.slice(0, 2)) == before
    late = pa.concat_tables([outcomes, outcomes.slice(0, 1)])
    mended = DEFINITIONS.get("hero").model_copy(update={"secondary_metrics": ()})
    changed = {
        fingerprint(seen=late),
        fingerprint(exposures.slice(0, 1)),
        fingerprint(definitions=DEFINITIONS.model_copy(update={"experiments": {"hero": mended}})),
    }
    assert len(changed | {before}) == 4
