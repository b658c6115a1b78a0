"""`tessera tune`: a search that is recorded, goes on, and ends by its work."""

import json
from pathlib import Path

from ml.home import Home
from ml.recommenders.models.zoo import load_recommender
from ml.registry.registry import Registry
from tests.orchestration.models.calls import tessera


def test_a_search_is_a_run_with_a_child_for_each_trial_and_goes_on(tables: Path, tmp_path: Path) -> None:
    call = (
        "tune", "--interactions", tables / "interactions.csv", "--model", "ease", "--model", "svd",
        "--work", 1.0, "--out", tmp_path / "model", "--home", tmp_path / "home",
    )  # fmt: skip
    first, second = tessera(*call), tessera(*call)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    home = Home(tmp_path / "home")
    client = Registry(home.mlflow_uri).client
    runs = client.search_runs([client.get_experiment_by_name("recommendation").experiment_id])
    later, earlier = [run for run in runs if run.info.run_name == "search"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == earlier.info.run_id]
    assert len(children) >= 2
    assert {run.data.params["model"] for run in children} <= {"ease", "svd"}
    figures = [file.path for file in client.list_artifacts(earlier.info.run_id, "figures")]
    assert figures == ["figures/search.png"]
    # The first call used the work up: the second tries nothing, knows all trials and saves the best.
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
        "tune", "--interactions", tables / "interactions.csv", "--model", "stacked", "--work", 1,
        "--out", tmp_path / "model", "--home", tmp_path / "home",
    )  # fmt: skip
    assert refused.exit_code == 1
    assert "no space to search for stacked; there are lightfm_warp" in " ".join(refused.output.split())


def test_a_search_by_known_items_is_none_by_all_items(tables: Path, tmp_path: Path) -> None:
    call = (
        "tune", "--interactions", tables / "interactions.csv", "--items", tables / "items.parquet",
        "--model", "svd", "--work", 0.1, "--out", tmp_path / "model", "--home", tmp_path / "home",
    )  # fmt: skip
    for ranked in ((), ("--ranked", "all"), ("--ranked", "known")):
        done = tessera(*call, *ranked)
        assert done.exit_code == 0, done.output
    client = Registry(Home(tmp_path / "home").mlflow_uri).client
    runs = client.search_runs([client.get_experiment_by_name("recommendation").experiment_id])
    by_known, by_all, unsaid = [run.data.params["study"] for run in runs if run.info.run_name == "search"]
    assert by_all == unsaid != by_known
    assert by_known.endswith("ndcg_at_10 of known items")
    refused = tessera(*call, "--ranked", "new")
    assert refused.exit_code == 1
    assert "nothing that was held back is on new items, which are to be ranked" in " ".join(refused.output.split())
