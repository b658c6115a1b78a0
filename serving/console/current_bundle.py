"""What the console shows: the current bundle, and the files of the home beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from ml.bundle import find_current
from ml.bundle.files import read_manifest
from ml.console.published import PublishedTables
from ml.console.visit_steps import VisitSteps
from serving.console.kept_pages import KeptPages
from serving.console.localized_texts import Moment
from serving.start import ServiceConfig


@dataclass(frozen=True)
class CurrentBundle:
    """A published bundle with its tables.

    Attributes:
        version: Name of the version.
        manifest: Its manifest.
        tables: Its tables for the console.
        kept: Pages that were made of it; they go with the bundle.
    """

    version: str
    manifest: Mapping[str, Any]
    tables: PublishedTables
    kept: KeptPages = field(default_factory=KeptPages)

    @cached_property
    def suggested_steps(self) -> list[str]:
        """Steps of funnels that visits took, the most frequent first of each kind."""
        return VisitSteps.of_tables(self.tables).suggest()

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the site."""
        return ZoneInfo(self.tables.about["timezone"])

    def local(self, moment: dt.datetime) -> dt.datetime:
        """Return a time, which is UTC where it has no zone, by the clock of the site."""
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(self.zone)

    def format_moment(self, moment: dt.datetime | str) -> str:
        """Write a time, or one in ISO 8601, to the minute by the clock of the site."""
        read = dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return Moment(self.local(read))


class BundleReader:
    """Finds the current bundle; what was read of it is kept until another one becomes current."""

    def __init__(self, config: ServiceConfig) -> None:
        self._folders = config.bundle_folders
        self._read: CurrentBundle | None = None

    def current(self) -> CurrentBundle | None:
        """Return the current bundle; None where nothing is published.

        Raises:
            BundleError: Its manifest cannot be read.
        """
        path = find_current(self._folders)
        if path is None:
            return None
        if self._read is None or self._read.version != path.name:
            self._read = CurrentBundle(path.name, read_manifest(path), PublishedTables(path))
        return self._read
