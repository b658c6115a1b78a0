"""Receipts of erasures: what was asked, every place concerned, and what became of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from pathlib import Path
from typing import Any

from ml.home import Home
from serving.collector.privacy.pseudonyms import Pseudonyms

PLACES = ("online state", "event log", "dead letters", "contacts", "warehouse", "MLflow", "bundles", "Bentos")


class ErasureDesk:
    """Receipts below `home/erasures`; the id stands only in a file that goes when all places are verified."""

    def __init__(self, home: Home) -> None:
        self.folder = home.path / "erasures"
        self._pseudonyms = Pseudonyms(home.path)

    def open(self, user: str, now: dt.datetime) -> dict[str, Any]:
        """Begin an erasure; every place is pending."""
        receipt = {
            "receipt_id": uuid.uuid4().hex,
            "subject": self._pseudonyms.of(user),
            "requested_at": now.isoformat(),
            "places": [{"place": place, "status": "pending"} for place in PLACES],
        }
        self._write(self._pending(receipt["receipt_id"]), {"user_id": user})
        self._write(self._path(receipt["receipt_id"]), receipt)
        return receipt

    def receipt(self, receipt_id: str) -> dict[str, Any] | None:
        """A receipt, None where there is none of this id."""
        if not receipt_id.isalnum():
            return None
        try:
            return dict(json.loads(self._path(receipt_id).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def verified(self, receipt_id: str, place: str, removed: int, how: str) -> None:
        """One place is done; the id itself is dropped after the last one.

        Raises:
            KeyError: there is no such receipt or place.
        """
        receipt = self.receipt(receipt_id)
        if receipt is None:
            raise KeyError(f"no receipt {receipt_id}")
        entry = next((entry for entry in receipt["places"] if entry["place"] == place), None)
        if entry is None:
            raise KeyError(f"{place!r} is no place of an erasure; there are {', '.join(PLACES)}")
        entry.update(status="verified", removed=removed, verified_by=how, at=dt.datetime.now(dt.UTC).isoformat())
        self._write(self._path(receipt_id), receipt)
        if all(entry["status"] == "verified" for entry in receipt["places"]):
            self._pending(receipt_id).unlink(missing_ok=True)

    def pending(self) -> dict[str, str]:
        """User id by receipt id of the erasures that are not verified everywhere."""
        files = sorted((self.folder / "pending").glob("*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8"))["user_id"] for file in files}

    def _path(self, receipt_id: str) -> Path:
        return self.folder / f"{receipt_id}.json"

    def _pending(self, receipt_id: str) -> Path:
        return self.folder / "pending" / f"{receipt_id}.json"

    @staticmethod
    def _write(path: Path, content: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
