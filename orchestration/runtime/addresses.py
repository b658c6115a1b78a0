"""Where the programs of `tessera up` are found. Links name these addresses, and never the folder of the home."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from ml.home import Home
from ml.settings.operation import PortSettings

LOOPBACK = "127.0.0.1"


def address_of(port: int) -> str:
    """Return the address of a program on this machine."""
    return f"http://{LOOPBACK}:{port}"


def report_address(home: Home, ports: PortSettings, file: Path) -> str:
    """Return the address of a file below the home's reports, as the start page serves it."""
    return f"{address_of(ports.pages)}/reports/{quote(file.relative_to(home.reports).as_posix())}"
