"""Searches every file of a home for damage, and says what to do about each."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.ipc

from ml.bundle import BundleError, canary_version, current_version
from ml.bundle.files import read_manifest, verify_files
from ml.bundle.versions import CANARY, CURRENT
from ml.erasure.receipts import ErasureReceipts
from ml.errors import DamagedFileError
from ml.events.dead_letters import DeadLetters
from ml.events.frames import FrameDamage, read_frames
from ml.events.live_dead_letters import find_damaged_lines
from ml.events.live_log import SUFFIX
from ml.events.log import EventLog
from ml.events.manifest import select_live
from ml.events.quarantine import Quarantine
from ml.home import Home
from ml.integrity.checked_tables import read_checked_table
from ml.integrity.digests import RESTORE, first_line
from ml.integrity.home_layout import read_layout
from ml.integrity.sqlite_files import MLFLOW_REMEDY, find_sqlite_damage
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.home_checks import STATE_REMEDY
from ml.privacy.pseudonyms import MissingKeyError, Pseudonyms
from orchestration.warehouse.warehouse import WAREHOUSE_REMEDY, Warehouse

OPEN_PART_REMEDY = (
    "nothing has to be done: sealing saves the readable events and keeps the file below events/damaged; the "
    "others are only in a backup"
)
KEPT_REMEDY = "bring what it held back from a backup, then delete the file"
KEPT_STATE_REMEDY = "delete the file, since the state was rebuilt from the event log"
BUNDLE_REMEDY = "publish again with `tessera materialize`, or delete the folder if it is not the current version"
DAGSTER_REMEDY = "delete the folder dagster/, which holds only the history of runs"
LINES_REMEDY = "delete the damaged line"


def verify_home(home: Home, report: Callable[[str], None] = lambda _: None) -> list[DamagedFileError]:
    """Check everything in a home that cannot be made anew from the event log, and what is made from it.

    Args:
        home: The home. The service and other runs may be at work in it.
        report: Is called with what is checked next.

    Returns:
        One entry for each damaged file or line, with the file, the damage and the remedy.
    """
    checks: dict[str, Callable[[Home], Iterator[DamagedFileError]]] = {
        "layout, key and erasures": _check_identity,
        "event log": _check_log,
        "open parts": _check_open_parts,
        "dead letters and quarantine": _check_dead_letters,
        "catalogue and contacts": _check_snapshots,
        "online state": _check_state,
        "warehouse": find_warehouse_damage,
        "models": _check_models,
        "published bundles": _check_bundles,
        "other files": _check_others,
    }
    damages = []
    for name, check in checks.items():
        report(name)
        damages += check(home)
    return damages


def set_damaged_parts_aside(home: Home) -> dict[Path, int]:
    """Keep every damaged part below `events/damaged`, and leave its readable events in the log.

    Returns:
        The number of events that were saved, by file.
    """
    log = EventLog(home)
    damaged = {error.file for error in log.checks.find_damage(log.parts())}
    return {log.path(part): log.set_aside(part) for part in log.parts() if log.path(part) in damaged}


def _check_identity(home: Home) -> Iterator[DamagedFileError]:
    for check in (
        lambda: read_layout(home),
        lambda: Pseudonyms(home.path).require_key(),
        lambda: ErasedIds(home).refresh(),
    ):
        try:
            check()
        except MissingKeyError as error:
            yield DamagedFileError(home.path / "site.key", str(error), "put it back from the keys of a backup")
        except DamagedFileError as error:
            yield error
    yield from ErasureReceipts(home).find_damage()


def _check_log(home: Home) -> Iterator[DamagedFileError]:
    log = EventLog(home)
    parts, damages = log.manifest.read_all()
    yield from damages
    yield from log.checks.find_damage(select_live(parts))


def _check_open_parts(home: Home) -> Iterator[DamagedFileError]:
    log = EventLog(home)
    for file in sorted((log.folder / "open").glob(f"*{SUFFIX}")):
        damage = FrameDamage()
        try:
            for _ in read_frames(file, damage):
                pass
        except FileNotFoundError:
            continue  # sealed in the meantime
        if damage:
            yield DamagedFileError(file, str(damage), OPEN_PART_REMEDY)
    for file in sorted(log.damaged.glob("*")):
        if file.suffix != ".json":
            yield DamagedFileError(file, f"this file was damaged and is kept aside{_noted(file)}", KEPT_REMEDY)


def _noted(file: Path) -> str:
    """Return what the note beside a kept open part says."""
    try:
        note = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        lost = sum(length for _, length in note["ranges"])
        return f" ({note['readable_events']:,} events were saved, {lost:,} bytes were unreadable)"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""


def _check_dead_letters(home: Home) -> Iterator[DamagedFileError]:
    yield from _check_tables(DeadLetters(home).files())
    yield from find_damaged_lines(home)
    yield from Quarantine(home).find_damage()


def _check_snapshots(home: Home) -> Iterator[DamagedFileError]:
    yield from _check_tables(sorted(home.catalogue.rglob("*.parquet")))
    yield from _check_tables(sorted(home.contacts.rglob("*.parquet")))


def _check_tables(files: list[Path]) -> Iterator[DamagedFileError]:
    for file in files:
        try:
            read_checked_table(file)
        except FileNotFoundError:
            continue  # replaced in the meantime
        except DamagedFileError as error:
            yield error


def _check_state(home: Home) -> Iterator[DamagedFileError]:
    yield from _check_sqlite(home.state_db, STATE_REMEDY)
    for file in sorted(home.path.glob(f"{home.state_db.name}.damaged-*")):
        yield DamagedFileError(file, "the online state was damaged and is kept aside", KEPT_STATE_REMEDY)


def _check_sqlite(file: Path, remedy: str) -> Iterator[DamagedFileError]:
    if file.exists() and (damage := find_sqlite_damage(file, remedy)):
        yield damage


def find_warehouse_damage(home: Home) -> Iterator[DamagedFileError]:
    """Read every block of the warehouse, each of which has a checksum.

    Raises:
        WarehouseBusyError: Another program has the warehouse open.
    """
    warehouse = Warehouse(home.warehouse)
    if not home.warehouse.exists():
        return
    try:
        with warehouse.connect(read_only=True) as connection:
            for schema, table in connection.sql("select schema_name, table_name from duckdb_tables()").fetchall():
                connection.execute(f'select bit_xor(hash(rows)) from "{schema}"."{table}" as rows').fetchall()
    except DamagedFileError as error:
        yield error
    except duckdb.Error as error:
        yield DamagedFileError(home.warehouse, f"a table is unreadable ({first_line(error)})", WAREHOUSE_REMEDY)


def _check_models(home: Home) -> Iterator[DamagedFileError]:
    yield from _check_sqlite(home.path / "mlflow.db", MLFLOW_REMEDY)
    for folder in (home.artifacts, home.models):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            fault = find_unreadable(file)
            if fault:
                yield DamagedFileError(file, fault, MLFLOW_REMEDY)


def _check_bundles(home: Home) -> Iterator[DamagedFileError]:
    for name, read in ((CURRENT, current_version), (CANARY, canary_version)):
        pointer = home.published / name
        try:
            version = read(home.published)
            if version is not None and not (home.published / version).is_dir():
                yield DamagedFileError(pointer, f"it names {version!r}, which does not exist", BUNDLE_REMEDY)
        except (BundleError, ValueError) as error:
            yield DamagedFileError(pointer, first_line(error), BUNDLE_REMEDY)
    for folder in sorted(path for path in home.published.glob("*") if path.is_dir() and path.name[0] != "."):
        try:
            verify_files(folder, read_manifest(folder))
        except BundleError as error:
            yield DamagedFileError(folder, first_line(error), BUNDLE_REMEDY)


def _check_others(home: Home) -> Iterator[DamagedFileError]:
    for file in sorted(home.dagster.rglob("*.db")):
        yield from _check_sqlite(file, DAGSTER_REMEDY)
    for file in sorted(home.truth.rglob("*.parquet")):
        if fault := find_unreadable(file):
            yield DamagedFileError(file, fault, RESTORE)
    for file in (home.path / "withheld_totals.jsonl", home.path / "quarantine" / "events.jsonl"):
        for number, line in enumerate(file.read_bytes().splitlines() if file.exists() else [], start=1):
            try:
                json.loads(line)
            except ValueError:
                yield DamagedFileError(file, f"line {number} is not JSON", LINES_REMEDY)


def find_unreadable(file: Path) -> str | None:
    """Read a file of a known format whole.

    Returns:
        What is wrong with it; None if it can be read, or has another format.
    """
    try:
        if file.suffix == ".parquet":
            read_checked_table(file)
        elif file.suffix in (".npz", ".zip"):
            with zipfile.ZipFile(file) as archive:
                if (member := archive.testzip()) is not None:
                    return f"{member} differs from its checksum"
        elif file.suffix == ".npy":
            np.load(file, allow_pickle=False)
        elif file.suffix == ".arrow":
            with pa.OSFile(str(file), "rb") as source:
                pa.ipc.open_file(source).read_all().validate(full=True)
        elif file.suffix == ".json":
            json.loads(file.read_bytes())
    except DamagedFileError as error:
        return error.damage
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
        return f"the file is unreadable ({first_line(error)})"
    return None
