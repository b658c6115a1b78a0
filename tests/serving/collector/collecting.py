"""A collector in this process, and what it left on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from starlette.testclient import TestClient

from ml.events.contract import EVENT_SCHEMA
from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.settings import Settings, load_settings
from serving.access import Keys
from serving.collector.app import collector_app

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"


def settings_with(**sections: dict[str, Any]) -> Settings:
    """settings.yaml with some knobs turned: `settings_with(privacy={"address": "keep"})`."""
    settings = load_settings()
    changed = {name: getattr(settings, name).model_copy(update=knobs) for name, knobs in sections.items()}
    return settings.model_copy(update=changed)


@dataclass
class Site:
    """A site whose events are collected below `path`."""

    path: Path
    settings: Settings = field(default_factory=load_settings)
    keys: Keys = field(default_factory=Keys)
    identity_secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.home = Home(self.path)

    def open(self) -> TestClient:
        """A client of a running collector; leave the block to have everything sealed."""
        app = collector_app(self.home, self.settings, self.keys, self.identity_secrets)
        return TestClient(app, raise_server_exceptions=False)

    def events(self) -> list[dict[str, Any]]:
        """Sealed events in the order in which they happened, `properties` parsed, nulls left out."""
        table = pa.Table.from_batches(EventLog(self.home).read(), schema=EVENT_SCHEMA)
        if not len(table):
            return []
        rows = table.sort_by([("occurred_at", "ascending"), ("event_id", "ascending")]).to_pylist()
        return [
            {
                name: json.loads(value) if name == "properties" else value
                for name, value in row.items()
                if value is not None
            }
            for row in rows
        ]

    def letters(self) -> list[dict[str, Any]]:
        """Dead letters by row."""
        return DeadLetters(self.home).read().sort_by("row").to_pylist()

    def send(self, path: str, body: Any = None, **options: Any) -> Any:
        """One request to a collector that is closed afterwards."""
        with self.open() as client:
            return client.post(path, json=body, **options)
