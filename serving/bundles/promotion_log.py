"""The log of which bundles answered since when and why, and which were refused. It survives a restart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ml.bundle import Bundle
from serving.state.store import StateStore

DOCUMENT = "promotions"
KEPT = 100


class PromotionLog:
    """The takeovers and refusals of bundles, shared by all workers, the newest last.

    Args:
        store: Where the log is kept.
    """

    def __init__(self, store: StateStore) -> None:
        self.store = store

    def record_takeover(self, bundle: Bundle, now: dt.datetime) -> None:
        """Record that a bundle answers from now on, once for all workers, and not again after a restart."""
        self._add(
            {
                "event": "taken",
                "bundle": bundle.version,
                "model_version": bundle.model_version,
                "as_of": bundle.as_of.isoformat(),
                "at": now.isoformat(),
                "why": read_promotion(bundle.manifest),
            }
        )

    def record_refusal(self, version: str, reason: str, now: dt.datetime) -> None:
        """Record that a bundle was refused and the previous one stays."""
        self._add({"event": "refused", "bundle": version, "at": now.isoformat(), "why": {"reasons": [reason]}})

    def entries(self) -> list[dict[str, Any]]:
        """Return all entries that are kept, oldest first."""
        return list(self.store.value(DOCUMENT) or [])

    def _add(self, entry: dict[str, Any]) -> None:
        def add_entry(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
            entries = entries or []
            last = next((other for other in reversed(entries) if other["event"] == entry["event"]), None)
            if last is not None and last["bundle"] == entry["bundle"]:
                return entries
            return [*entries, entry][-KEPT:]

        self.store.change_value(DOCUMENT, add_entry)


def read_promotion(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the promotion gate reported about the champion, empty if the manifest does not have it."""
    return dict((manifest.get("details") or {}).get("promotion") or {})
