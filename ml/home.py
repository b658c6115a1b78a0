"""The folder that holds everything a run writes. Deleting it is a full reset."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
FileVersion = tuple[int, int, int]


@dataclass(frozen=True)
class Home:
    """Paths below `TESSERA_HOME`. Nothing is created by naming it; whoever writes makes the folder.

    Attributes:
        path: The folder.
        site: The folder of the site that this home works for, with the files that its owner edits; None for the
            files that come with the product. `ml.site.definition_files` finds each of them.
        settings_file: A file that takes the place of the site's settings.yaml; None for no such file.
        mlflow_database: Address of the PostgreSQL database that holds MLflow's runs and models; None for a file.
        dagster_database: Address of the PostgreSQL database that holds Dagster's history; None for files.
    """

    path: Path
    site: Path | None = None
    settings_file: Path | None = None
    mlflow_database: str | None = field(default=None, repr=False)
    dagster_database: str | None = field(default=None, repr=False)

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
    def exchange_rates(self) -> Path:
        """The site's exchange rates, as the warehouse reads them."""
        return self.path / "exchange_rates"

    @property
    def truth(self) -> Path:
        """The simulator's planted truth, which no part of the pipeline reads."""
        return self.path / "truth"

    @property
    def is_simulated(self) -> bool:
        """Whether the simulator wrote the events, and its truth beside them."""
        return self.truth.is_dir()

    @property
    def warehouse(self) -> Path:
        """The DuckDB file, which has one writer at a time."""
        return self.path / "warehouse.duckdb"

    @property
    def mlflow_uri(self) -> str:
        """Tracking address of MLflow's store."""
        return self.mlflow_database or f"sqlite:///{self.path / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.path / "mlartifacts"

    @property
    def published(self) -> Path:
        """The bundles that the service reads: a folder for each version, and the file CURRENT."""
        return self.path / "published"

    @property
    def fetched(self) -> Path:
        """Bundles that the service took from an object store, laid out as `published`."""
        return self.path / "fetched"

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


def replace_file(file: Path, content: bytes) -> None:
    """Write a file of the home in place of the one before.

    Its content is whole and on disk when it appears, and only this user can read it.
    """
    draft = make_folder(file.parent) / f".{file.name}.{uuid.uuid4().hex}.draft"
    try:
        with open(draft, "xb", opener=open_private) as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    sync_path(file.parent)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file, which one process has at a time and others wait for, until the block ends."""
    make_folder(file.parent)
    with open(file, "w", opener=open_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def file_version(path: Path) -> FileVersion | None:
    """Return what changes whenever the content of a file does; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def sync_path(path: Path) -> None:
    """Flush a file, or the names of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
