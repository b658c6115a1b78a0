"""The folder that holds everything a run writes. Deleting it is a full reset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Paths below `TESSERA_HOME`. Nothing is created by naming it; whoever writes makes the folder.

    Attributes:
        path: The folder.
        site: The folder of the site that this home works for, with the files that its owner edits; None for the
            files that come with the product. `ml.site.definition_files` finds each of them.
        settings_file: A file that takes the place of the site's settings.yaml; None for no such file.
    """

    path: Path
    site: Path | None = None
    settings_file: Path | None = None

    def __post_init__(self) -> None:
        for name in ("path", "site", "settings_file"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)).absolute())

    @property
    def events(self) -> Path:
        """The append-only event log, which only `ml.events` touches."""
        return self.path / "events"

    @property
    def dead_letters(self) -> Path:
        """Rejected rows with the field and the reason."""
        return self.path / "dead_letters"

    @property
    def catalogue(self) -> Path:
        """Snapshots of what is known about items."""
        return self.path / "catalogue"

    @property
    def truth(self) -> Path:
        """The simulator's planted truth, which no part of the pipeline reads."""
        return self.path / "truth"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file, which has one writer at a time."""
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
        """The bundles that the service reads: a folder for each version, and the file CURRENT."""
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
        """Models between training and the registry."""
        return self.path / "models"

    @property
    def reports(self) -> Path:
        """Readable reports, with a folder for each subject."""
        return self.path / "reports"

    @property
    def contacts(self) -> Path:
        """The contacts of users and their times, for caps and quiet periods."""
        return self.path / "contacts"
