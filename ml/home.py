"""The folder that holds everything a run writes. Deleting it is a full reset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


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
    def keys_file(self) -> Path:
        """The digests of the access keys, which only its owner may read."""
        return self.path / "keys.json"

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

    @property
    def erasures(self) -> Path:
        """The receipts of erasures and the digests of erased ids."""
        return self.path / "erasures"


def protect_new_files() -> None:
    """Let only this user read what the process, and whatever it starts, writes from now on."""
    os.umask(0o777 & ~FOLDER_MODE)


def make_folder(folder: Path) -> Path:
    """Make a folder of the home, and the folders above it, that only this user can open.

    Folders that exist keep their mode.

    Returns:
        The folder.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(FOLDER_MODE, exist_ok=True)
    return folder


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file that only this user can read if it is created. It serves as the `opener` of `open`.

    Returns:
        The file descriptor.
    """
    return os.open(path, flags, FILE_MODE)


def sync_folder(folder: Path) -> None:
    """Make the names of a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
