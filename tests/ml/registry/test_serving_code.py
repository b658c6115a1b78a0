"""A registered model brings the code that serves it, and nothing else of this project."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pyarrow as pa
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.recommenders.model_names import MODELS, model_module
from ml.recommenders.models.zoo import make_recommender
from ml.registry.registry import Registry
from ml.registry.serving_code import ServingCode

# `-S` keeps the installed project off the path; the libraries come back by their folder alone.
FRESH_PROCESS = """
import importlib.util, json, sys
sys.path.append(sys.argv[1])
assert importlib.util.find_spec("ml") is None and importlib.util.find_spec("orchestration") is None
import pandas
from mlflow import pyfunc
model = pyfunc.load_model(sys.argv[2])
answer = model.predict(pandas.DataFrame({"user_id": json.loads(sys.argv[3])}), params={"k": 3})
print(json.dumps([sys.modules["ml"].__file__, answer.values.tolist()]))
"""
LEARNED = ["lightgbm", "rectools-lightfm"]
USERS = ["u1", "u2", "stranger"]


def interactions() -> Interactions:
    rows = [(f"u{user}", f"i{item}") for user in range(12) for item in range(8) if (user + item) % 3 == 0]
    users, items = zip(*rows, strict=True)
    return Interactions.from_table(pa.table({"user_id": users, "item_id": items}))


def features() -> FeatureMatrix:
    table = pa.table({"item_id": [f"i{item}" for item in range(8)], "features": [["a"], ["b"]] * 4})
    return FeatureMatrix.from_table(table, "item_id")


@pytest.mark.parametrize(
    ("model", "params", "libraries"),
    [
        ("als", {"n_factors": 2}, ["scipy"]),
        (
            "stacked",
            {"models": [{"model": "lightfm_warp", "params": {"n_factors": 2}}, {"model": "ease"}]},
            LEARNED,
        ),
    ],
)
def test_a_registered_model_answers_in_a_fresh_process_without_this_checkout(
    model: str, params: dict[str, object], libraries: list[str], registry: Registry, tmp_path: Path
) -> None:
    recommender = make_recommender(model, **params).fit(interactions(), item_features=features())
    recommender.save(tmp_path / "saved")
    with registry.start_run("candidate") as run:
        stored = registry.register(run, tmp_path / "saved")
    empty = tmp_path / "empty"
    empty.mkdir()
    folder = tmp_path / "mlartifacts" / stored.location.removeprefix("mlflow-artifacts:/")
    command = [sys.executable, "-I", "-S", "-c", FRESH_PROCESS, sysconfig.get_path("purelib"), str(folder)]
    result = subprocess.run(
        [*command, json.dumps(USERS)], cwd=empty, capture_output=True, text=True, check=False, env={}
    )
    assert result.returncode == 0, result.stderr
    module, answer = json.loads(result.stdout.splitlines()[-1])
    assert Path(module) == folder / "code" / "ml" / "__init__.py"
    expected = recommender.recommend(USERS, 3).to_table()
    assert [row[:3] for row in answer] == [
        [row["user_id"], row["item_id"], row["rank"]] for row in expected.to_pylist()
    ]
    assert [row[3] for row in answer] == pytest.approx(expected["score"].to_pylist())

    rooms = {file.relative_to(folder / "code" / "ml").parts[0] for file in (folder / "code").rglob("*.py")}
    unneeded = {"sources", "experiments", "decisions", "segmentation", "settings", "bundle", "publishing.py"}
    assert rooms >= {"recommenders", "registry", "dataset"}
    assert not rooms & unneeded
    requirements = (folder / "requirements.txt").read_text()
    assert all(f"{library}==" in requirements for library in libraries)
    assert "pandas==" in requirements
    assert "dagster" not in requirements


def test_no_model_of_the_zoo_needs_the_sources_or_the_registry_itself() -> None:
    code = ServingCode.of(["ml.registry.served_model", *(model_module(name) for name in MODELS)])
    rooms = {file.parts[0] for file in code.files}
    assert not rooms & {"sources", "experiments", "decisions", "segmentation", "bundle"}
    assert not {Path(f"registry/{name}.py") for name in ("registry", "run", "mlflow_model")} & code.files
    assert "mlflow" not in code.libraries
    assert {"numpy", "scipy", "pyarrow", "lightfm", "lightgbm", "gensim"} <= code.libraries


def test_a_model_without_lightfm_does_not_ask_for_it() -> None:
    code = ServingCode.of(["ml.registry.served_model", model_module("als")])
    assert "lightfm" not in code.libraries
    assert Path("recommenders/models/lightfm.py") not in code.files
    assert Path("recommenders/models/__init__.py") in code.files
