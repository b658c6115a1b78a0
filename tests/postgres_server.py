"""A PostgreSQL server in processes of its own, and databases in it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

from ml.site.databases import MLFLOW_VARIABLE, read_databases

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
OWNER = "postgres"


class PostgresServer:
    """The server, which keeps its data in a folder of its own. It refuses to run as root, as tests may."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        self._call("initdb", "--pgdata", folder / "data", "--auth", "trust", "--username", OWNER, "--no-sync")
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        place = ("--pgdata", folder / "data", "--log", folder / "log")
        self._call("pg_ctl", "start", "--wait", *place, "--options", f"{options} -c fsync=off")

    def make_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"d{uuid.uuid4().hex}"
        administration = read_databases({MLFLOW_VARIABLE: self.address("postgres")})[0]
        engine = sqlalchemy.create_engine(administration, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"create database {name}"))
        engine.dispose()
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://{OWNER}:secret@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self._call("pg_ctl", "stop", "--mode", "immediate", "--pgdata", self.folder / "data")

    def _call(self, program: str, *arguments: object) -> None:
        user = pwd.getpwnam(OWNER) if os.geteuid() == 0 else None
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        subprocess.run(
            [str(PROGRAMS[-1] / program), *map(str, arguments)],
            check=True, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who,
        )  # fmt: skip


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Run a server in a folder that its owner can reach, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgresServer(Path(folder))
        try:
            yield server
        finally:
            server.stop()
