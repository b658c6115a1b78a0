"""Which bundle answered since when and why, and which were refused: kept in the state, so that a restart knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ml.bundle import Bundle
from serving.state.store import StateStore

DOCUMENT = "promotions"
KEPT = 100


class Promotions:
    """The log of takeovers and refusals, one for all workers, the newest last.

    Args:
        store: where it is kept.
    """

    def __init__(self, store: StateStore) -> None:
        self.store = store

    def taken(self, bundle: Bundle, now: dt.datetime) -> None:
        """A bundle answers from now on; said once for all workers, and not again after a restart."""
        self._add(
            {
                "event": "taken",
                "bundle": bundle.version,
                "model_version": bundle.model_version,
                "as_of": bundle.as_of.isoformat(),
                "at": now.isoformat(),
                "why": why(bundle.manifest),
            }
        )

    def refused(self, version: str, reason: str, now: dt.datetime) -> None:
        """A bundle was refused, and the one before it stays."""
        self._add({"event": "refused", "bundle": version, "at": now.isoformat(), "why": {"reasons": [reason]}})

    def entries(self) -> list[dict[str, Any]]:
        """All that is kept, oldest first."""
        return list(self.store.value(DOCUMENT) or [])

    def _add(self, entry: dict[str, Any]) -> None:
        def with_entry(kept: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
            same = [one for one in kept or [] if one["event"] == entry["event"]][-1:]
            if same and same[0]["bundle"] == entry["bundle"]:
                return kept or []
            return [*(kept or []), entry][-KEPT:]

        self.store.change_value(DOCUMENT, with_entry)


def why(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the gate said of the champion when it was promoted; empty where nobody wrote it down."""
    return dict((manifest.get("details") or {}).get("promotion") or {})
