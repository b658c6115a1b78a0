"""Addresses of artifacts in MLflow's database: none names the folder of the home."""

from __future__ import annotations

from contextlib import closing

from ml.home import Home
from ml.integrity.sqlite_files import open_existing_sqlite

SCHEME = "mlflow-artifacts"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def make_addresses_movable(home: Home) -> None:
    """Rewrite addresses that name a folder into addresses below the artifacts of whoever reads them.

    Artifacts outside of a folder `mlartifacts` keep their address.

    Raises:
        sqlite3.DatabaseError: The database is damaged.
    """
    file, folder = home.path / "mlflow.db", f"/{home.artifacts.name}/"
    if not file.exists():
        return
    with closing(open_existing_sqlite(file)) as database, database:
        for table, column in _COLUMNS:
            rows = database.execute(f"select rowid, {column} from {table} where {column} like ?", (f"%{folder}%",))
            for row, address in rows.fetchall():
                movable = f"{SCHEME}:/{address.rpartition(folder)[2]}"
                database.execute(f"update {table} set {column} = ? where rowid = ?", (movable, row))
