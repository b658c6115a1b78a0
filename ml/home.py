"""The one folder that holds everything a run writes; deleting it is a full reset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Paths below `TESSERA_HOME`. Nothing is created by naming it; whoever writes makes the folder."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).absolute())

    @property
    def events(self) -> Path:
        """The append-only event log; only `ml.event_log` touches it."""
        return self.path / "events"

    @property
    def dead_letters(self) -> Path:
        """Rejected rows with field and reason."""
        return self.path / "dead_letters"

    @property
    def catalogue(self) -> Path:
        """Snapshots of what is known about items."""
        return self.path / "catalogue"

    @property
    def truth(self) -> Path:
        """The simulator's planted truth; no part of the pipeline reads it."""
        return self.path / "truth"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file with one writer."""
        return self.path / "warehouse.duckdb"

    @property
    def mlflow_uri(self) -> str:
        """Tracking address of the embedded MLflow store."""
        return f"sqlite:///{self.path / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.path / "mlartifacts"

    @property
    def published(self) -> Path:
        """What the service reads: one folder a version, and the file CURRENT."""
        return self.path / "published"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME: run history and schedules."""
        return self.path / "dagster"

    @property
    def bentoml(self) -> Path:
        """BENTOML_HOME: the built Bentos."""
        return self.path / "bentoml"

    @property
    def state_db(self) -> Path:
        """The service's online state."""
        return self.path / "state.db"

    @property
    def models(self) -> Path:
        """Models on their way between training and the registry."""
        return self.path / "models"

    @property
    def reports(self) -> Path:
        """Readable reports, one folder a subject."""
        return self.path / "reports"

    @property
    def contacts(self) -> Path:
        """Who was contacted when, for caps and quiet periods."""
        return self.path / "contacts"
