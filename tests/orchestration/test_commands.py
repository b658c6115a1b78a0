"""What the commands say when they cannot do what they were asked."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ml.home import Home
from ml.registry.registry import Registry
from orchestration.cli import app, main
from orchestration.warehouse.warehouse import Warehouse

HOLD = """
import sys, time
from pathlib import Path
from orchestration.warehouse.warehouse import Warehouse
with Warehouse(Path(sys.argv[1])).writing("a nightly run"):
    print("held", flush=True)
    time.sleep(600)
"""


def tessera(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SITE", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


def test_an_empty_home_is_told_how_to_get_events(tmp_path: Path) -> None:
    refused = tessera("materialize", "--home", str(tmp_path))
    assert refused.exit_code == 1
    for way in ("tessera ingest", "tessera simulate", "tessera demo"):
        assert way in " ".join(refused.output.split())


def test_an_unknown_job_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    refused = tessera("materialize", "--job", "hourly", "--home", str(tmp_path))
    assert refused.exit_code == 2
    for job in ("daily_increment", "full_refresh", "training", "retention"):
        assert job in refused.output


def test_a_second_materialize_is_told_who_is_at_work(materialized_home: Home) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(materialized_home.warehouse)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert first.stdout is not None
        first.stdout.readline()
        refused = tessera("materialize", "--home", str(materialized_home.path))
    finally:
        first.kill()
        first.wait()
    assert refused.exit_code == 3
    assert f"a nightly run (process {first.pid} on" in " ".join(refused.output.split())


def test_a_wrong_setting_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("ports: {dagster: many}")
    monkeypatch.setenv("TESSERA_SETTINGS", str(file))
    monkeypatch.setattr(sys, "argv", ["tessera", "materialize", "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = " ".join(capfd.readouterr().err.split())
    assert str(file) in told
    assert "ports.dagster" in told


def test_a_materialized_home_has_a_champion_with_its_promotion_on_record(materialized_home: Home) -> None:
    registry = Registry(materialized_home.mlflow_uri, materialized_home.artifacts)
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


def test_docs_of_no_warehouse_say_what_to_run(tmp_path: Path) -> None:
    refused = tessera("docs", "--home", str(tmp_path))
    assert refused.exit_code == 1
    assert "tessera materialize" in refused.output
