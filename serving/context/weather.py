"""Weather and local events. The provider that ships reads a file that somebody else updates."""

from __future__ import annotations

import csv
import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ml.home import FileVersion, file_version

logger = logging.getLogger("tessera.serving")


@dataclass(frozen=True)
class Surroundings:
    """The weather and the events of a place; None where unknown. `temperature` is in °C."""

    condition: str | None = None
    temperature: float | None = None
    events: tuple[str, ...] = ()


NO_SURROUNDINGS = Surroundings()


class SurroundingsProvider(Protocol):
    """Answers from memory, so that no request waits for a provider."""

    def at(self, country: str | None, region: str | None, city: str | None, moment: dt.datetime) -> Surroundings:
        """Return the surroundings of a place at a moment, or NO_SURROUNDINGS if nothing fresh is available."""

    def refresh(self) -> None:
        """Fetch what is new; it is called beside the requests, never within one."""


class SurroundingsFile:
    """Reads a CSV file with the columns place, observed_at, condition, temperature, events.

    `place` is a city, a region code or a country code, and the narrowest counts. `events` are separated by `;`.

    Args:
        path: The file, which need not exist.
        stale_seconds: Age from which a row no longer counts.
    """

    def __init__(self, path: Path, stale_seconds: float) -> None:
        self.path = path
        self.stale_seconds = stale_seconds
        self._version: FileVersion | None = None
        self._rows: dict[str, tuple[dt.datetime, Surroundings]] = {}

    def at(self, country: str | None, region: str | None, city: str | None, moment: dt.datetime) -> Surroundings:
        """See `SurroundingsProvider.at`."""
        for place in (city, region, country):
            row = self._rows.get(place.lower()) if place else None
            if row is None:
                continue
            observed_at, surroundings = row
            if abs((moment - observed_at).total_seconds()) <= self.stale_seconds:
                return surroundings
        return NO_SURROUNDINGS

    def refresh(self) -> None:
        """Read the file again if it changed. A row that cannot be read is logged and left out."""
        version = file_version(self.path)
        if version is None:
            self._rows = {}
        if version is None or version == self._version:
            self._version = version
            return
        rows: dict[str, tuple[dt.datetime, Surroundings]] = {}
        with open(self.path, encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    rows[row["place"].lower()] = (
                        dt.datetime.fromisoformat(row["observed_at"]),
                        _read_surroundings(row),
                    )
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    logger.warning("%s, line %d is left out: %s", self.path, number, error)
        self._rows, self._version = rows, version


def _read_surroundings(row: dict[str, str]) -> Surroundings:
    temperature = float(row["temperature"]) if row.get("temperature") else None
    events = tuple(event.strip() for event in (row.get("events") or "").split(";") if event.strip())
    return Surroundings(row.get("condition") or None, temperature, events)
