"""The model registry: runs, registered models, the champion and its promotions; `trials` has those of new models.

It works through clients with an explicit address, never through the process-wide state of MLflow, so that two
registries can be open side by side. Only the modules of this folder import mlflow.
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
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException

from ml.errors import TesseraError
from ml.integrity.sqlite_files import MLFLOW_REMEDY, require_sound_sqlite
from ml.registry.artifacts import SQLITE, artifact_address, place_artifacts
from ml.registry.descriptions import MODEL, NOTE, RUNS, SOURCE, experiment_tags
from ml.registry.mlflow_model import save_mlflow_model
from ml.registry.run import Run
from ml.registry.store import use_movable_addresses
from ml.registry.views import TAG

MODEL_NAME = "recommender"
CHAMPION = "champion"
PROMOTIONS = "promotions"


@dataclass(frozen=True)
class ModelVersion:
    """A registered model with what its run recorded."""

    version: int
    run_id: str
    registered_at: datetime
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    location: str


@dataclass(frozen=True)
class Promotion:
    """A change of the champion; `previous` is None for the first one."""

    version: int
    previous: int | None
    kind: str
    reasons: tuple[str, ...]
    promoted_at: datetime


class ModelFilesMissingError(TesseraError, LookupError):
    """The files of a registered model are not where they were written."""


class NoSuchVersionError(TesseraError, LookupError):
    """The registry has no model of this version."""


class Registry:
    """Runs and models of one store.

    Args:
        tracking_uri: Address of the store of MLflow, such as `sqlite:////home/me/.tessera/mlflow.db`.
        artifacts: Folder of the artifacts; those of a file lie beside it.
    """

    def __init__(self, tracking_uri: str, artifacts: Path | None = None) -> None:
        self.tracking_uri = tracking_uri
        if artifacts is not None:
            place_artifacts(tracking_uri, artifacts)

    @contextmanager
    def start_run(
        self,
        name: str,
        *,
        experiment: str = "recommendation",
        parent: Run | None = None,
        tags: Mapping[str, str] | None = None,
        description: str = "",
    ) -> Iterator[Run]:
        """Open a run; it ends as finished, as failed when the block raises, as killed on an interrupt.

        Without a description, the run has the one of its name in `RUNS`.
        """
        note = description or RUNS.get(name, "")
        all_tags = {**SOURCE, **(tags or {}), **({NOTE: note} if note else {})}
        if parent is not None:
            all_tags["mlflow.parentRunId"] = parent.run_id
            experiment = parent.experiment
        created = self.client.create_run(self.experiment_id(experiment), run_name=name, tags=all_tags)
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

    def save_view(self, experiment: str, name: str, view: str) -> None:
        """Keep a view of the experiment's runs, such as `candidates_view`, under a name by which pages open it."""
        self.client.set_experiment_tag(self.experiment_id(experiment), f"{TAG}{name}", view)

    def register(self, run: Run, model_folder: Path, *, tags: Mapping[str, str] | None = None) -> ModelVersion:
        """Store a saved recommender as the next version of the model; the champion stays where it is.

        The stored model is an MLflow model too, see `save_mlflow_model`. The version has its run's description.

        Args:
            run: The run that the model comes from.
            model_folder: Folder that `Recommender.save` wrote.
            tags: Tags of the version.

        Raises:
            ModelFileError: The folder holds no recommender that this version can load.
        """
        with tempfile.TemporaryDirectory(prefix="tessera-model-") as folder:
            model = save_mlflow_model(model_folder, Path(folder))
            logged = self.client.create_logged_model(
                self.experiment_id(run.experiment),
                name=MODEL_NAME,
                source_run_id=run.run_id,
                model_type="recommender",
            )
            self.client.log_model_artifacts(logged.model_id, str(model))
        self.client.finalize_logged_model(logged.model_id, "READY")
        self._ensure_model()
        created = self.client.create_model_version(
            MODEL_NAME,
            source=logged.artifact_location,
            run_id=run.run_id,
            model_id=logged.model_id,
            tags=dict(tags or {}),
            description=self.client.get_run(run.run_id).data.tags.get(NOTE),
        )
        return self.version(int(created.version))

    def version(self, number: int) -> ModelVersion:
        """Get a registered version.

        Raises:
            NoSuchVersionError: The registry has no version of this number.
        """
        try:
            return self._described(self.client.get_model_version(MODEL_NAME, str(number)))
        except MlflowException as error:
            versions = ", ".join(str(model.version) for model in self.versions()) or "none"
            raise NoSuchVersionError(f"no version {number} of {MODEL_NAME}; there are: {versions}") from error

    def versions(self) -> list[ModelVersion]:
        """List all registered versions, oldest first."""
        registered = self.client.search_model_versions(f"name='{MODEL_NAME}'")
        return sorted((self._described(version) for version in registered), key=lambda version: version.version)

    def champion(self) -> ModelVersion | None:
        """Get the version that is served, or None before the first promotion."""
        for model in self.client.search_registered_models(f"name='{MODEL_NAME}'"):
            if CHAMPION in model.aliases:
                return self.version(int(model.aliases[CHAMPION]))
        return None

    def promote(self, number: int, *, kind: str, reasons: tuple[str, ...] | list[str] = ()) -> Promotion:
        """Make a version the champion and record the promotion. Whether to promote is for the gate to decide."""
        chosen, previous = self.version(number), self.champion()
        promotion = Promotion(
            chosen.version, previous.version if previous else None, kind, tuple(reasons), datetime.now(UTC)
        )
        with self.start_run(
            f"version {number}: {kind}", experiment=PROMOTIONS, description=f"{'; '.join(reasons)}."
        ) as run:
            run.log_params({"version": number, "previous": promotion.previous, "kind": kind})
            run.set_tags({"reasons": json.dumps(promotion.reasons)})
            self.client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(number))
        return promotion

    def promotions(self) -> list[Promotion]:
        """List all promotions, oldest first."""
        runs = self.client.search_runs(
            [self.experiment_id(PROMOTIONS)],
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
            ModelFilesMissingError: The registry knows the version, but its files are gone.
        """
        try:
            saved = Path(
                download_artifacts(
                    artifact_uri=f"{model.location}/data", dst_path=str(folder), tracking_uri=self.tracking_uri
                )
            )
        except (OSError, MlflowException) as error:
            raise ModelFilesMissingError(
                f"version {model.version} of {MODEL_NAME} has no files at {model.location}. "
                "Bring that folder back, or train again: tessera materialize --job training"
            ) from error
        (recommender,) = saved.iterdir()
        return recommender

    @cached_property
    def client(self) -> MlflowClient:
        """The client of MLflow; the store is created at its first use.

        Raises:
            DamagedFileError: The store is damaged.
        """
        if self.tracking_uri.startswith(SQLITE):
            require_sound_sqlite(Path(self.tracking_uri.removeprefix(SQLITE)), MLFLOW_REMEDY)
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
        # A new store logs each table and migration step, which nobody can act on.
        for name in ("mlflow.store.db.utils", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        use_movable_addresses(self.tracking_uri)
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def experiment_id(self, name: str) -> str:
        """Get the id of an experiment of MLflow, which is created if there is none of this name."""
        experiment = self.client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        return str(
            self.client.create_experiment(
                name, artifact_location=artifact_address(name), tags=experiment_tags(name)
            )
        )

    def _ensure_model(self) -> None:
        if not self.client.search_registered_models(f"name='{MODEL_NAME}'"):
            self.client.create_registered_model(MODEL_NAME, description=MODEL)

    def _described(self, version: Any) -> ModelVersion:
        """Combine a version of MLflow with the metrics and params of its run."""
        data = self.client.get_run(version.run_id).data
        return ModelVersion(
            version=int(version.version),
            run_id=version.run_id,
            registered_at=_time(version.creation_timestamp),
            metrics=data.metrics,
            params=data.params,
            tags=version.tags,
            location=version.source,
        )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
