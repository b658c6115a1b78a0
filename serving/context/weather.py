"""Weather and local events through one interface; the provider shipped reads a file that someone else keeps."""

from __future__ import annotations

import csv
import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

logger = logging.getLogger("tessera.serving")


@dataclass(frozen=True)
class Surroundings:
    """What it is like where the visitor is; None where nobody knows. `temperature` is °C."""

    condition: str | None = None
    temperature: float | None = None
    events: tuple[str, ...] = ()


NOWHERE = Surroundings()


class SurroundingsProvider(Protocol):
    """Answers from memory: an answer never waits for a provider."""

    def at(self, country: str | None, region: str | None, city: str | None, moment: dt.datetime) -> Surroundings:
        """What is known of a place at a moment; NOWHERE where nothing is, or nothing fresh."""

    def refresh(self) -> None:
        """Fetch what is new; called beside the answers, never in one."""


class FileProvider:
    """Reads a CSV file with the columns place, observed_at, condition, temperature, events.

    `place` is a city, a region code or a country code, the narrowest one counts; `events` are separated by `;`.

    Args:
        path: the file; without one nothing is known.
        stale_seconds: age from which a row counts as not known.
    """

    def __init__(self, path: Path, stale_seconds: float) -> None:
        self.path = path
        self.stale_seconds = stale_seconds
        self._read_at = -1
        self._rows: dict[str, tuple[dt.datetime, Surroundings]] = {}

    def at(self, country: str | None, region: str | None, city: str | None, moment: dt.datetime) -> Surroundings:
        """See `SurroundingsProvider.at`."""
        for place in (city, region, country):
            found = self._rows.get(place.lower()) if place else None
            if found and abs((moment - found[0]).total_seconds()) <= self.stale_seconds:
                return found[1]
        return NOWHERE

    def refresh(self) -> None:
        """Read the file again if it changed. A row that cannot be read is logged and left out."""
        try:
            changed = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            self._rows = {}
            return
        if changed == self._read_at:
            return
        rows: dict[str, tuple[dt.datetime, Surroundings]] = {}
        with open(self.path, encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    rows[row["place"].lower()] = (
                        dt.datetime.fromisoformat(row["observed_at"]),
                        _surroundings(row),
                    )
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    logger.warning("%s, line %d is left out: %s", self.path, number, error)
        self._rows, self._read_at = rows, changed


def _surroundings(row: dict[str, str]) -> Surroundings:
    temperature = float(row["temperature"]) if row.get("temperature") else None
    events = tuple(event.strip() for event in (row.get("events") or "").split(";") if event.strip())
    return Surroundings(row.get("condition") or None, temperature, events)
