"""What the commands leave behind in a materialized home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ml.home import Home
from ml.registry.registry import Registry
from orchestration.cli import app
from orchestration.warehouse.warehouse import Warehouse


def tessera(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SITE", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


def test_an_unknown_job_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    refused = tessera("materialize", "--job", "hourly", "--home", str(tmp_path))
    assert refused.exit_code == 2
    for job in ("daily_increment", "full_refresh", "training", "retention"):
        assert job in refused.output


def test_a_materialized_home_has_a_champion_with_its_promotion_on_record(materialized_home: Home) -> None:
    registry = Registry(materialized_home.mlflow_uri)
    champion = registry.champion()
    assert champion is not None
    assert [(promotion.version, promotion.kind) for promotion in registry.promotions()] == [(1, "first")]
    assert champion.metrics["ndcg_at_10"] > 0


def test_funnels_by_segment_are_the_funnels_divided(materialized_home: Home) -> None:
    totals = "select funnel, step_number, sum(entered)::bigint as entered from {} group by all order by all"
    warehouse = Warehouse(materialized_home.warehouse)
    whole, parts = (warehouse.read(totals.format(mart)).to_pylist() for mart in ("funnels", "segment_funnels"))
    assert whole
    assert parts == whole
    named = warehouse.read("select count(distinct segment) as n from segment_funnels where segment != ''")
    assert named["n"][0].as_py() > 1


def test_docs_are_one_page_with_every_mart(materialized_home: Home) -> None:
    written = tessera("docs", "--home", str(materialized_home.path))
    assert written.exit_code == 0
    page = (materialized_home.reports / "warehouse" / "index.html").read_text(encoding="utf-8")
    for part in ("model.tessera.segment_funnels", "exposure.tessera.recommendation", "Deepest scroll"):
        assert part in page


def test_the_command_line_starts_without_the_libraries_that_only_some_commands_need() -> None:
    heavy = (
        "bentoml",
        "celpy",
        "dagster",
        "duckdb",
        "great_expectations",
        "lightgbm",
        "matplotlib",
        "mlflow",
        "numpy",
    )
    heavy += ("numpy", "pandas", "pyarrow", "scipy", "sklearn")
    script = f"import sys, orchestration.cli; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_threads_that_a_command_starts_sleep_while_they_wait() -> None:
    script = "from orchestration.cli import main\ntry:\n    main()\nfinally:\n    import sklearn.cluster"
    shown = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        env={name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
        | {"OMP_DISPLAY_ENV": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown.stderr
