"""A saved recommender as an MLflow model, which `mlflow models serve` can answer with."""

from __future__ import annotations

from pathlib import Path

from mlflow import pyfunc
from mlflow.models import ModelSignature, set_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from ml.recommenders.model_names import model_module
from ml.recommenders.persistence import saved_models
from ml.registry.served_model import DEFAULT_K
from ml.registry.serving_code import ServingCode

_LOADER = "ml.registry.served_model"
# MLflow ignores parameters that the signature does not name, with a warning at every request.
_SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string, "user_id")]),
    outputs=Schema(
        [
            ColSpec(DataType.string, "user_id"),
            ColSpec(DataType.string, "item_id"),
            ColSpec(DataType.integer, "rank"),
            ColSpec(DataType.float, "score"),
        ]
    ),
    params=ParamSchema([ParamSpec("k", DataType.long, DEFAULT_K)]),
)


def save_mlflow_model(recommender: Path, folder: Path) -> Path:
    """Write a saved recommender as an MLflow model.

    The model brings the code that its recommenders need, and no other code of this project.

    Args:
        recommender: Folder that `Recommender.save` wrote.
        folder: Folder for the model and for the code that is copied into it.

    Returns:
        The folder of the MLflow model, `folder/model`.

    Raises:
        ModelFileError: The folder holds no recommender that this version can load.
    """
    models = saved_models(recommender)
    code = ServingCode.of([_LOADER, *(model_module(name) for name in models)])
    path = folder / "model"
    pyfunc.save_model(
        path,
        loader_module=_LOADER,
        data_path=str(recommender),
        code_paths=[str(code.copy_to(folder))],
        # A request arrives as a pandas frame.
        pip_requirements=code.requirements(further=["pandas"]),
    )
    set_signature(str(path), _SIGNATURE)
    return path
