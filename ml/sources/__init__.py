"""Sources: other people's files as canonical events. `SOURCES` names them all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ml.sources.files import Files
from ml.sources.globo import Globo
from ml.sources.google_analytics_4 import GoogleAnalytics4
from ml.sources.ingest import IngestReport, ingest
from ml.sources.mixpanel import Mixpanel
from ml.sources.online_retail import OnlineRetail
from ml.sources.source import Source, SourceError
from ml.sources.universal_analytics import UniversalAnalytics

__all__ = ["SOURCES", "IngestReport", "Source", "SourceError", "ingest", "open_source"]

SOURCES: Mapping[str, type[Source]] = MappingProxyType(
    {
        source.name: source
        for source in (Globo, OnlineRetail, Files, GoogleAnalytics4, UniversalAnalytics, Mixpanel)
    }
)


def open_source(name: str, mapping: Path | None = None) -> Source:
    """The source of that name.

    Raises:
        SourceError: there is no such source, or it takes no mapping.
    """
    if name not in SOURCES:
        raise SourceError(f"{name}: no such source. Legal: {', '.join(SOURCES)}")
    if mapping is None:
        return SOURCES[name]()
    if name != Files.name:
        raise SourceError(f"{name}: knows its own columns and takes no --mapping; only `{Files.name}` does")
    return Files(mapping)
