"""`fit`, `recommend` and `tune` as somebody uses them who brings only a table."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from ml.home import Home
from ml.recommenders.models.zoo import load_recommender
from ml.registry.registry import Registry
from orchestration.cli import app


def tessera(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME", "TESSERA_SITE", "TESSERA_SETTINGS"):
        monkeypatch.setenv(name, "")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Even users take even items, odd ones odd items; a feature says which is which."""
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(1)
    rows = [(u, i) for u in range(40) for i in random.choice(np.arange(u % 2, 30, 2), 7, replace=False)]
    users, items = (list(part) for part in zip(*rows, strict=True))
    pa_csv.write_csv(pa.table({"user_id": users, "item_id": items}), folder / "interactions.csv")
    features = pa.table(
        {"item_id": list(range(30)), "features": [[f"taste:{i % 2}", "kind:film"] for i in range(30)]}
    )
    pq.write_table(features, folder / "items.parquet")
    pa_csv.write_csv(pa.table({"user_id": [0, 1, 99]}), folder / "people.csv")
    return folder


def test_a_hybrid_is_fitted_with_its_ablation_and_recommends(tables: Path, tmp_path: Path) -> None:
    fitted = tessera(
        "fit", "--interactions", tables / "interactions.csv", "--items", tables / "items.parquet",
        "--model", "lightfm_warp", "--out", tmp_path / "model",
    )  # fmt: skip
    assert fitted.exit_code == 0, fitted.output
    assert "ablation: item taste brings" in fitted.output
    assert "ablation: item kind brings" in fitted.output
    out = tmp_path / "out.csv"
    done = tessera(
        "recommend", "--model", tmp_path / "model", "--users", tables / "people.csv", "--k", 3, "--out", out
    )
    assert done.exit_code == 0, done.output
    rows = pa_csv.read_csv(out).to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3] * 3
    assert all(row["item_id"] % 2 == row["user_id"] % 2 for row in rows if row["user_id"] != 99)


def test_a_search_is_a_run_with_a_child_for_each_trial_and_goes_on(tables: Path, tmp_path: Path) -> None:
    call = (
        "tune", "--interactions", tables / "interactions.csv", "--model", "ease", "--model", "svd",
        "--minutes", 0.01, "--out", tmp_path / "model", "--home", tmp_path / "home",
    )  # fmt: skip
    first, second = tessera(*call), tessera(*call)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    home = Home(tmp_path / "home")
    client = Registry(home.mlflow_uri, home.artifacts).client
    runs = client.search_runs([client.get_experiment_by_name("recommendation").experiment_id])
    later, earlier = [run for run in runs if run.info.run_name == "search"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == earlier.info.run_id]
    assert len(children) >= 2
    assert {run.data.params["model"] for run in children} <= {"ease", "svd"}
    figures = [file.path for file in client.list_artifacts(earlier.info.run_id, "figures")]
    assert figures == ["figures/search.png"]
    # The first call used the minutes up: the second tries nothing, knows all trials and saves the best.
    assert not [run for run in runs if run.data.tags.get("mlflow.parentRunId") == later.info.run_id]
    table = json.loads(
        Path(client.download_artifacts(later.info.run_id, "tables/search.json", str(tmp_path))).read_text()
    )
    assert len(table["data"]) == len(children)
    complete = [run for run in children if run.data.tags["trial.state"] == "complete"]
    best = max(complete, key=lambda run: run.data.metrics["validation_ndcg_at_10"])
    assert (
        type(load_recommender(tmp_path / "model")).__name__
        == {"ease": "Ease", "svd": "TruncatedSVD"}[best.data.params["model"]]
    )


def test_a_model_that_cannot_be_searched_is_refused_in_one_line(tables: Path, tmp_path: Path) -> None:
    refused = tessera(
        "tune", "--interactions", tables / "interactions.csv", "--model", "stacked", "--minutes", 1,
        "--out", tmp_path / "model", "--home", tmp_path / "home",
    )  # fmt: skip
    assert refused.exit_code == 1
    assert "no space to search for stacked; there are lightfm_warp" in " ".join(refused.output.split())


def test_candidates_of_a_training_carry_their_tables(materialized_home: Home) -> None:
    client = Registry(materialized_home.mlflow_uri, materialized_home.artifacts).client
    runs = client.search_runs([client.get_experiment_by_name("recommendation").experiment_id])
    hybrids = [run for run in runs if run.info.run_name == "lightfm_warp"]
    assert hybrids
    for run in hybrids:
        assert any(name.startswith("gain_of_item_") for name in run.data.metrics)
        assert {file.path for file in client.list_artifacts(run.info.run_id, "tables")} == {
            "tables/ablation.json",
            "tables/composition.json",
            "tables/groups.json",
        }
