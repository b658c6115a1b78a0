"""The same commands and assets on Spark: their tables, their runs, their gate and their bundle."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pytest
import yaml

from ml.bundle import Bundle, current_version
from ml.home import Home
from ml.recommenders.models.zoo import load_recommender
from ml.registry.registry import CHAMPION, MODEL_NAME, Registry
from orchestration.defs.champion import champion_model
from orchestration.defs.publishing import published_bundle
from orchestration.defs.recommendation import candidate_models
from tests.orchestration.models.calls import tessera
from tests.orchestration.models.conftest import environment_put_back, fitted, tables  # noqa: F401  fixtures
from tests.orchestration.test_recommendation import materialize

COMMAND = "from orchestration.cli import main; main()"


def test_recommend_writes_the_same_file_on_all_cores_of_a_machine(
    tables: Path,  # noqa: F811
    fitted: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    call = ["recommend", "--model", fitted, "--users", tables / "people.csv", "--k", 40]
    here = tessera(*call, "--out", tmp_path / "here.csv")
    assert here.exit_code == 0, here.output
    command = [sys.executable, "-c", COMMAND, *call, "--engine", "spark", "--out", tmp_path / "there.csv"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 of 3 users get fewer than 30 items" in " ".join(done.stderr.split())
    assert (tmp_path / "there.csv").read_text() == (tmp_path / "here.csv").read_text()


def test_fit_and_recommend_on_a_cluster(cluster: Any, tables: Path, tmp_path: Path) -> None:  # noqa: F811
    done = tessera(
        "fit", "--interactions", tables / "interactions.csv", "--model", "als", "--engine", "spark",
        "--out", tmp_path / "model",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert type(load_recommender(tmp_path / "model")).__name__ == "ImplicitALS"
    call = ["recommend", "--model", tmp_path / "model", "--users", tables / "people.csv", "--k", 5]
    for engine in ("spark", "local"):
        done = tessera(*call, "--engine", engine, "--out", tmp_path / f"{engine}.csv")
        assert done.exit_code == 0, done.output
    there, here = (pa_csv.read_csv(tmp_path / f"{engine}.csv") for engine in ("spark", "local"))
    assert there.select(["user_id", "item_id", "rank"]) == here.select(["user_id", "item_id", "rank"])
    np.testing.assert_allclose(there["score"], here["score"], rtol=1e-5)


def test_a_champion_that_spark_fitted_is_published_as_any_other(
    cluster: Any, changing_home: Home, small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(changing_home.mlflow_uri)
    registry.client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
    knobs = yaml.safe_load((small_site / "settings.yaml").read_text(encoding="utf-8"))
    candidates = [{"model": "als", "params": {"n_factors": 16}}]
    knobs["recommenders"] |= {"engine": "spark", "candidates": candidates}
    knobs["evaluation"] = {"guardrails": []}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    materialize(changing_home, candidate_models, champion_model, published_bundle)
    champion = registry.champion()
    assert champion is not None
    assert '"als"' in champion.params["configuration"]
    assert registry.client.get_run(champion.run_id).data.tags["engine"] == "spark"
    model = load_recommender(registry.download(champion, tmp_path / "model"))
    version = current_version(changing_home.published)
    assert version is not None
    bundle = Bundle.load(changing_home.published / version)
    rows = model.item_ids_.rows(bundle.items["item_id"])
    np.testing.assert_array_equal(bundle.item_factors[rows >= 0], model.item_factors_[rows[rows >= 0]])
    assert (rows >= 0).sum() > 100
