"""The graph as Dagster loads it: it reads as the story of the design, and nothing in it is unexplained."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.runtime.materialization import list_stages

PRODUCT = Path(__file__).resolve().parents[2]
JOBS = ("daily_increment", "full_refresh", "training", "retention", "campaigns", "erasure")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


def test_every_asset_says_what_it_is_where_it_belongs_and_what_makes_it(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    bare = {
        key.to_user_string(): [
            name
            for name, value in (
                ("description", graph.get(key).description),
                ("group", graph.get(key).group_name if graph.get(key).group_name != "default" else ""),
                ("kind", graph.get(key).kinds),
            )
            if not value
        ]
        for key in graph.materializable_asset_keys
    }
    assert {asset: lacking for asset, lacking in bare.items() if lacking} == {}


def test_the_pages_of_dagster_start_without_what_only_runs_need() -> None:
    script = (
        "import sys, orchestration.definitions as loaded; loaded.defs(); "
        "print([name for name in ('mlflow', 'great_expectations') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=PRODUCT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_stages_follow_one_another_as_in_the_design(definitions: dg.Definitions) -> None:
    names = [stage.name for stage in list_stages(definitions, definitions.resolve_job_def("daily_increment"))]
    told = ["events", "warehouse", "segmentation", "recommendation", "publishing"]
    assert [name for name in names if name in told] == told


def test_every_check_says_what_it_requires(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    descriptions = {key: graph.get_check_spec(key).description or "" for key in graph.asset_check_keys}
    assert len(descriptions) > 70
    assert {key.name for key, text in descriptions.items() if not text.endswith(".") or len(text) < 15} == set()
    texts = set(descriptions.values())
    assert "Every row has a value in `recommendation_id` and `user_id`." in texts
    assert "No two rows have the same `part_path` and `part_row` together." in texts
    assert "Totals agree between marts." in texts


def test_nothing_hangs_loose(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    unknown = {
        parent.to_user_string()
        for key in graph.materializable_asset_keys
        for parent in graph.get(key).parent_keys
        if parent not in graph.materializable_asset_keys
    }
    assert unknown == set()


def test_training_waits_for_the_expectations_on_what_it_reads(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    guarded = {
        key.asset_key.to_user_string() for key in graph.asset_check_keys if graph.get_check_spec(key).blocking
    }
    assert {"users", "items", "interactions"} <= guarded


@pytest.mark.parametrize("job", JOBS)
def test_every_job_loads_and_runs_in_one_process(definitions: dg.Definitions, job: str) -> None:
    assert definitions.resolve_job_def(job).executor_def.name == "in_process"


def test_the_daily_increment_and_training_have_schedules_and_new_files_a_sensor(
    definitions: dg.Definitions,
) -> None:
    repository = definitions.get_repository_def()
    assert {"daily_increment", "training"} <= {schedule.job_name for schedule in repository.schedule_defs}
    assert [sensor.name for sensor in repository.sensor_defs] == [
        "erasures_wanted",
        "newly_sealed_parts",
        "training_after_alarms",
    ]


def test_only_the_job_for_it_writes_campaigns_since_they_log_contacts(definitions: dg.Definitions) -> None:
    audiences = dg.AssetKey("campaign_audiences")
    makers = [job for job in JOBS if audiences in definitions.resolve_job_def(job).asset_layer.selected_asset_keys]
    assert makers == ["campaigns"]
    sensors = definitions.get_repository_def().sensor_defs
    targeted = [target.job_name for sensor in sensors for target in sensor.targets]
    assert all(audiences not in definitions.resolve_job_def(j).asset_layer.selected_asset_keys for j in targeted)


def test_every_test_of_the_tables_is_a_check_of_an_asset(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {key.name for key in graph.asset_check_keys}
    assert {file.stem for file in (PRODUCT / "dbt_project" / "tests").glob("*.sql")} <= checks
