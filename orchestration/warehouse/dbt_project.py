"""The dbt project as Dagster needs it: a manifest that is never stale, and the settings as variables."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from dagster_dbt import DbtProject

from ml.errors import TesseraError
from ml.home import Home, replace_file
from ml.settings import Settings, load_site_settings
from orchestration.product_files import DBT_PROJECT_FOLDER, is_checkout

DBT_EXECUTABLE = Path(sys.executable).with_name("dbt")
MARTS_GROUP = "warehouse"
PIPELINE_TARGET = "duckdb"  # Python reads the marts there, whichever engine TESSERA_ENGINE names for dbt by hand
WAREHOUSE_GROUPS = ("staging", "intermediate", MARTS_GROUP)  # of assets, from the log to the marts
PARSED = "partial_parse.msgpack"  # what dbt keeps to parse only the files that change
_SOURCE_FOLDERS = ("models", "macros", "tests", "seeds", "snapshots", "analyses")


class DbtError(TesseraError):
    """A dbt command failed. The message holds what dbt printed."""


def dbt_variables(settings: Settings) -> dict[str, Any]:
    """The knobs that SQL reads, as dbt's `--vars`."""
    return settings.warehouse.model_dump(mode="json")


def definition_fingerprint(settings: Settings) -> str:
    """SHA-256 over all that says what the tables are: the SQL and the knobs that it reads."""
    digest = sha256(json.dumps(dbt_variables(settings), sort_keys=True).encode())
    for file in sorted(_sources()):
        if file.suffix in (".sql", ".csv") or file.name == "dbt_project.yml":
            digest.update(file.read_bytes())
    return digest.hexdigest()


def dbt_project(home: Home) -> DbtProject:
    """The project folder with its manifest."""
    return DbtProject(project_dir=DBT_PROJECT_FOLDER, target_path=_manifest_folder(home), target=PIPELINE_TARGET)


def prepared_manifest(home: Home) -> Path:
    """Path of a manifest as new as the project's files; dbt parses the project where it is not.

    `DbtProject.prepare_if_dev` does this under `dagster dev` alone; the command line and the tests need it too.

    Raises:
        DbtParseError: dbt cannot parse the project.
    """
    manifest = _manifest_folder(home) / "manifest.json"
    if not manifest.exists() or manifest.stat().st_mtime < max(file.stat().st_mtime for file in _sources()):
        _parse(manifest, home)
    return manifest


@contextmanager
def dbt_target(home: Home) -> Iterator[Path]:
    """Make a folder for what one call of dbt writes.

    dbt writes absolute paths into its files. The home keeps two of them, which name this folder and not the home:
    the parsed project, which makes the next call quicker, and the log of the last call, `logs/dbt.log`.
    """
    parsed = home.path / "dbt" / PARSED
    with tempfile.TemporaryDirectory(prefix="tessera-dbt-") as name:
        folder = Path(name)
        if parsed.exists():
            shutil.copyfile(parsed, folder / PARSED)
        try:
            yield folder
        finally:
            for written, kept in ((folder / PARSED, parsed), (folder / "dbt.log", home.path / "logs" / "dbt.log")):
                if written.exists():
                    replace_file(kept, written.read_bytes())


def _manifest_folder(home: Home) -> Path:
    """The folder of the manifest: dbt's own in a checkout, which all homes share, else one in the home.

    An installed project is only read.
    """
    return DBT_PROJECT_FOLDER / "target" if is_checkout() else home.path / "dbt" / "parsed"


def _sources() -> list[Path]:
    files = [DBT_PROJECT_FOLDER / "dbt_project.yml", DBT_PROJECT_FOLDER / "profiles.yml"]
    for folder in _SOURCE_FOLDERS:
        files += [file for file in (DBT_PROJECT_FOLDER / folder).rglob("*") if file.is_file()]
    return files


def _parse(manifest: Path, home: Home) -> None:
    """Parse in a folder of its own and put the manifest into place, so that no reader sees half of it.

    The home keeps the parsed project: its first build, with the same variables, need not parse again.
    """
    with tempfile.TemporaryDirectory(prefix="tessera-parse-") as folder:
        command = [str(DBT_EXECUTABLE), "--no-send-anonymous-usage-stats", "--no-use-colors", "--quiet", "parse"]
        command += ["--target", PIPELINE_TARGET, "--target-path", folder, "--log-path", folder]
        command += ["--vars", json.dumps(dbt_variables(load_site_settings(home).settings))]
        parsed = subprocess.run(command, cwd=DBT_PROJECT_FOLDER, capture_output=True, text=True, check=False)
        if parsed.returncode:
            raise DbtError(f"dbt cannot parse {DBT_PROJECT_FOLDER}:\n{parsed.stdout}{parsed.stderr}")
        replace_file(home.path / "dbt" / PARSED, (Path(folder) / PARSED).read_bytes())
        replace_file(manifest, (Path(folder) / "manifest.json").read_bytes())
