"""The registry on a real MLflow store."""

import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from mlflow import pyfunc

from ml.dataset.interactions import Interactions
from ml.recommenders.models.zoo import make_recommender
from ml.registry.descriptions import RUNS
from ml.registry.fingerprint import data_fingerprint
from ml.registry.registry import ModelFilesMissingError, NoSuchVersionError, Registry


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    pairs = pa.table({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"]})
    make_recommender("popularity").fit(Interactions.from_table(pairs)).save(tmp_path / "model")
    return tmp_path / "model"


def test_a_candidate_becomes_champion_only_when_promoted_and_every_move_is_on_record(
    registry: Registry, model_folder: Path, tmp_path: Path
) -> None:
    assert registry.champion() is None
    for score in (0.25, 0.5):
        with registry.start_run("candidate") as run:
            run.log_params({"model": {"factors": 16}})
            run.log_metrics({"ndcg_at_10": score})
            registered = registry.register(run, model_folder, tags={"kind": "popularity"})
    assert (registered.version, registered.tags) == (2, {"kind": "popularity"})
    assert registry.champion() is None

    registry.promote(1, kind="first", reasons=["nothing to compare with"])
    registry.promote(2, kind="improvement", reasons=["ndcg_at_10 .25 → .50", "guardrails hold"])

    champion = registry.champion()
    assert champion is not None
    assert (champion.version, champion.metrics, champion.params) == (
        2,
        {"ndcg_at_10": 0.5},
        {"model.factors": "16"},
    )
    assert [(p.version, p.previous, p.kind, p.reasons) for p in registry.promotions()] == [
        (1, None, "first", ("nothing to compare with",)),
        (2, 1, "improvement", ("ndcg_at_10 .25 → .50", "guardrails hold")),
    ]

    downloaded = registry.download(champion, tmp_path / "downloaded")
    files = sorted(file.name for file in model_folder.iterdir())
    assert sorted(file.name for file in downloaded.iterdir()) == files
    assert all((downloaded / file).read_bytes() == (model_folder / file).read_bytes() for file in files)

    shutil.rmtree(tmp_path / "mlartifacts")
    with pytest.raises(ModelFilesMissingError, match=r"version 2 of recommender has no files at .*--job training"):
        registry.download(champion, tmp_path / "again")


def test_a_run_keeps_its_figures_tables_files_data_and_children(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "segments.md").write_text("# Segments")
    rows = pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"]})
    with registry.start_run("training", tags={"stage": "test"}) as run:
        run.log_figure(Figure(), "recall")
        run.log_table(rows, "interactions")
        run.log_artifacts(tmp_path / "report", "report")
        fingerprint = run.log_data("interactions", rows)
        with registry.start_run("lightfm", parent=run) as child:
            child.log_metrics({"loss": 2.0}, step=1)
            child.log_metrics({"loss": 1.0}, step=2)

    client = registry.client
    files = {
        f.path for folder in ("figures", "tables", "report") for f in client.list_artifacts(run.run_id, folder)
    }
    assert files == {"figures/recall.png", "tables/interactions.json", "report/segments.md"}
    tags = client.get_run(run.run_id).data.tags
    assert tags["stage"] == "test"
    assert tags["data.interactions.fingerprint"] == fingerprint
    assert tags["data.interactions.rows"] == "2"
    (data,) = client.get_run(run.run_id).inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.profile) == ("interactions", '{"num_rows": 2}')
    assert str(tmp_path) not in data.dataset.source
    assert client.get_run(child.run_id).data.tags["mlflow.parentRunId"] == run.run_id
    assert [m.value for m in client.get_metric_history(child.run_id, "loss")] == [2.0, 1.0]


def test_experiments_runs_and_the_model_say_what_they_are(registry: Registry, model_folder: Path) -> None:
    with registry.start_run("candidates", description="All of them.") as run:
        version = registry.register(run, model_folder)
    assert registry.client.get_model_version("recommender", str(version.version)).description == "All of them."
    with registry.start_run("signals") as named:
        pass
    notes = [registry.client.get_run(each.run_id).data.tags["mlflow.note.content"] for each in (run, named)]
    assert notes == ["All of them.", RUNS["signals"]]
    experiment = registry.client.get_experiment_by_name("recommendation")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "NDCG" in experiment.tags["mlflow.note.content"]
    assert "champion" in registry.client.get_registered_model("recommender").description
    tags = registry.client.get_run(run.run_id).data.tags
    assert (tags["mlflow.note.content"], tags["mlflow.source.name"]) == ("All of them.", "tessera")
    names = [entry.name for entry in registry.client.search_experiments()]
    assert names == ["recommendation"]  # and no experiment `Default`, which would stay empty


def test_a_run_that_raises_is_marked_as_failed(registry: Registry) -> None:
    with pytest.raises(ZeroDivisionError), registry.start_run("broken") as run:
        _ = 1 / 0
    assert registry.client.get_run(run.run_id).info.status == "FAILED"


def test_an_unknown_version_is_refused_with_the_known_ones(registry: Registry, model_folder: Path) -> None:
    with registry.start_run("candidate") as run:
        registry.register(run, model_folder)
    with pytest.raises(NoSuchVersionError, match="no version 7 of recommender; there are: 1"):
        registry.promote(7, kind="improvement")
    assert registry.promotions() == []


def test_the_first_start_of_a_store_logs_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Registry(f"sqlite:///{tmp_path / 'mlflow.db'}").client.search_experiments()
    assert capfd.readouterr().err == ""


def test_the_fingerprint_follows_the_values_not_the_chunks() -> None:
    whole = pa.table({"a": ["x", "y", "z"]})
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    changed = pa.table({"a": ["x", "y", "w"]})
    assert data_fingerprint(chunked) == data_fingerprint(whole) != data_fingerprint(changed)
    assert data_fingerprint(whole.slice(1)) == data_fingerprint(pa.table({"a": ["y", "z"]}))


def test_mlflow_itself_answers_with_a_stored_model_as_many_items_as_asked(
    registry: Registry, model_folder: Path
) -> None:
    with registry.start_run("candidate") as run:
        registry.register(run, model_folder)
    mlflow.set_tracking_uri(registry.tracking_uri)
    try:
        served = pyfunc.load_model("models:/recommender/1")
    finally:
        mlflow.set_tracking_uri(None)
    strangers = pd.DataFrame({"user_id": ["stranger"]})
    assert served.predict(strangers)["item_id"].tolist() == ["x", "y"]
    assert served.predict(strangers, params={"k": 1})["item_id"].tolist() == ["x"]
