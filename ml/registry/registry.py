"""MLflow behind one face: runs with their figures and tables, registered models, the champion and its history.

The only file that imports mlflow. It works through clients with an explicit address, never through MLflow's
process-wide state, so that two registries can be open side by side.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from mlflow import MlflowClient, pyfunc
from mlflow.artifacts import download_artifacts
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from ml.errors import TesseraError
from ml.recommenders.models.zoo import model_module
from ml.recommenders.persistence import saved_models
from ml.registry.served_model import DEFAULT_K
from ml.registry.serving_code import ServingCode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL_NAME = "recommender"
CHAMPION = "champion"
PROMOTIONS = "promotions"
_LOADER = "ml.registry.served_model"
# Params that a signature does not name are ignored, with a warning at every request.
_SERVED_SIGNATURE = ModelSignature(
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


@dataclass(frozen=True)
class ModelVersion:
    """One registered model with what its run recorded."""

    version: int
    run_id: str
    registered_at: datetime
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    location: str


@dataclass(frozen=True)
class Promotion:
    """One move of the champion; `previous` is None for the first."""

    version: int
    previous: int | None
    kind: str
    reasons: tuple[str, ...]
    promoted_at: datetime


class ModelFilesMissingError(TesseraError, LookupError):
    """A registered model whose files are not where they were written."""


class NoSuchVersionError(TesseraError, LookupError):
    """The registry has no model of this version."""


class Run:
    """An MLflow run that is being written; get one from `Registry.start_run`."""

    def __init__(self, client: MlflowClient, run_id: str, experiment: str) -> None:
        self._client = client
        self.run_id = run_id
        self.experiment = experiment

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Configuration; a nested mapping becomes dotted names."""
        for name, value in _flattened(params):
            self._client.log_param(self.run_id, name, value)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Measured numbers; `step` orders repeated ones, such as epochs."""
        for name, value in metrics.items():
            self._client.log_metric(self.run_id, name, float(value), step=step)

    def log_figure(self, figure: Figure, name: str) -> None:
        """A plot, as `figures/<name>.png`."""
        self._client.log_figure(self.run_id, figure, f"figures/{name}.png")

    def log_table(self, table: pa.Table, name: str) -> None:
        """A table that MLflow's pages can show, as `tables/<name>.json`."""
        self._client.log_table(self.run_id, table.to_pandas(), f"tables/{name}.json")

    def log_artifacts(self, folder: Path, name: str | None = None) -> None:
        """A folder's files, below `name` if given."""
        self._client.log_artifacts(self.run_id, str(folder), name)

    def log_text(self, text: str, file: str) -> None:
        """A text file."""
        self._client.log_text(self.run_id, text, file)

    def log_data(self, name: str, table: pa.Table) -> str:
        """Record which data the run saw: rows, columns and fingerprint as tags; returns the fingerprint."""
        fingerprint = data_fingerprint(table)
        self.set_tags(
            {
                f"data.{name}.fingerprint": fingerprint,
                f"data.{name}.rows": str(table.num_rows),
                f"data.{name}.columns": ", ".join(table.column_names),
            }
        )
        return fingerprint

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Marks to search by."""
        for key, value in tags.items():
            self._client.set_tag(self.run_id, key, value)


class Registry:
    """Runs and models at one tracking address; artifacts below one folder.

    Args:
        tracking_uri: MLflow's store, such as `sqlite:////home/me/.tessera/mlflow.db`.
        artifacts: folder for the runs' and models' files.
    """

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        self.tracking_uri = tracking_uri
        self.artifacts = artifacts

    @contextmanager
    def start_run(
        self,
        name: str,
        *,
        experiment: str = "recommendation",
        parent: Run | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[Run]:
        """Open a run; it ends as finished, as failed when the block raises, as killed on an interrupt."""
        marks = dict(tags or {})
        if parent is not None:
            marks["mlflow.parentRunId"] = parent.run_id
            experiment = parent.experiment
        created = self.client.create_run(self._experiment_id(experiment), run_name=name, tags=marks)
        run = Run(self.client, created.info.run_id, experiment)
        status = "FAILED"
        try:
            yield run
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            self.client.set_terminated(run.run_id, status)

    def register(self, run: Run, model_folder: Path, *, tags: Mapping[str, str] | None = None) -> ModelVersion:
        """Store a saved recommender as the next version of the model; the champion stays where it is.

        The stored model is also an MLflow pyfunc, so that `mlflow models serve` can answer with it. It brings the
        code that its models need, and no other code of this project.

        Args:
            run: The run that the model comes from.
            model_folder: What `Recommender.save` wrote.
            tags: Marks of the version to search by.

        Raises:
            ModelFileError: The folder holds no recommender that this version can load.
        """
        models = saved_models(model_folder)
        logged = self.client.create_logged_model(
            self._experiment_id(run.experiment),
            name=MODEL_NAME,
            source_run_id=run.run_id,
            model_type="recommender",
        )
        with tempfile.TemporaryDirectory(prefix="tessera-model-") as folder:
            path = Path(folder) / "model"
            code = ServingCode.of([_LOADER, *(model_module(name) for name in models)])
            pyfunc.save_model(
                path,
                loader_module=_LOADER,
                data_path=str(model_folder),
                code_paths=[str(code.copy_to(Path(folder)))],
                # A request arrives as a frame of pandas.
                pip_requirements=code.requirements(further=["pandas"]),
            )
            set_signature(str(path), _SERVED_SIGNATURE)
            self.client.log_model_artifacts(logged.model_id, str(path))
        self.client.finalize_logged_model(logged.model_id, "READY")
        self._ensure_model()
        created = self.client.create_model_version(
            MODEL_NAME,
            source=logged.artifact_location,
            run_id=run.run_id,
            model_id=logged.model_id,
            tags=dict(tags or {}),
        )
        return self.version(int(created.version))

    def version(self, number: int) -> ModelVersion:
        """One registered version. Raises `NoSuchVersionError`."""
        try:
            return self._described(self.client.get_model_version(MODEL_NAME, str(number)))
        except MlflowException as error:
            known = ", ".join(str(found.version) for found in self.versions()) or "none"
            raise NoSuchVersionError(f"no version {number} of {MODEL_NAME}; there are: {known}") from error

    def versions(self) -> list[ModelVersion]:
        """All registered versions, oldest first."""
        found = self.client.search_model_versions(f"name='{MODEL_NAME}'")
        return sorted((self._described(version) for version in found), key=lambda version: version.version)

    def champion(self) -> ModelVersion | None:
        """The version that the service shows, None before the first promotion."""
        for model in self.client.search_registered_models(f"name='{MODEL_NAME}'"):
            if CHAMPION in model.aliases:
                return self.version(int(model.aliases[CHAMPION]))
        return None

    def promote(self, number: int, *, kind: str, reasons: tuple[str, ...] | list[str] = ()) -> Promotion:
        """Make a version the champion and write that down. The gate decides whether; this only does it."""
        chosen, previous = self.version(number), self.champion()
        promotion = Promotion(
            chosen.version, previous.version if previous else None, kind, tuple(reasons), datetime.now(UTC)
        )
        with self.start_run(f"version {number}: {kind}", experiment=PROMOTIONS) as run:
            run.log_params({"version": number, "previous": promotion.previous, "kind": kind})
            run.set_tags({"reasons": json.dumps(promotion.reasons)})
            self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(number))
        return promotion

    def promotions(self) -> list[Promotion]:
        """Every move of the champion, oldest first."""
        runs = self.client.search_runs(
            [self._experiment_id(PROMOTIONS)],
            "attributes.status = 'FINISHED'",
            order_by=["attributes.start_time ASC"],
        )
        return [
            Promotion(
                version=int(run.data.params["version"]),
                previous=None if run.data.params["previous"] == "None" else int(run.data.params["previous"]),
                kind=run.data.params["kind"],
                reasons=tuple(json.loads(run.data.tags["reasons"])),
                promoted_at=_time(run.info.start_time),
            )
            for run in runs
        ]

    def download(self, model: ModelVersion, folder: Path) -> Path:
        """Copy the saved recommender into `folder` and return the folder that `load_recommender` reads.

        Raises:
            ModelFilesMissingError: the registry knows the version, but its files are gone.
        """
        try:
            saved = Path(download_artifacts(artifact_uri=f"{model.location}/data", dst_path=str(folder)))
        except (OSError, MlflowException) as error:
            raise ModelFilesMissingError(
                f"version {model.version} of {MODEL_NAME} has no files at {model.location}. "
                "Bring that folder back, or train anew: tessera materialize --job training"
            ) from error
        (recommender,) = saved.iterdir()
        return recommender

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; the store is made at the first use."""
        self.artifacts.mkdir(parents=True, exist_ok=True)
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
        # A new store tells of each table and migration step; nobody can act on that.
        for name in ("mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def _experiment_id(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(name, artifact_location=(self.artifacts / name).as_uri()))

    def _ensure_model(self) -> None:
        if not self.client.search_registered_models(f"name='{MODEL_NAME}'"):
            self.client.create_registered_model(MODEL_NAME, description="Every candidate; `champion` is served.")

    def _described(self, found: Any) -> ModelVersion:
        """A version with the metrics and params of its run."""
        data = self.client.get_run(found.run_id).data
        return ModelVersion(
            version=int(found.version),
            run_id=found.run_id,
            registered_at=_time(found.creation_timestamp),
            metrics=data.metrics,
            params=data.params,
            tags=found.tags,
            location=found.source,
        )


def data_fingerprint(table: pa.Table) -> str:
    """SHA-256 over schema and values: equal data, equal fingerprint, however the table is chunked."""
    digest = sha256(str(table.schema.remove_metadata()).encode())
    with pa.ipc.new_stream(_Digest(digest), table.schema.remove_metadata()) as stream:
        for batch in table.combine_chunks().to_batches():
            stream.write_batch(batch)
    return digest.hexdigest()


class _Digest:
    """A file to write to that keeps nothing but the digest."""

    closed = False

    def __init__(self, digest: Any) -> None:
        self._digest = digest

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        self.closed = True


def _flattened(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
