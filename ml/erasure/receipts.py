"""Receipts of erasures: the request, every place concerned, what was removed there and how that was verified."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml.erasure.person_ids import PersonIds
from ml.errors import DamagedFileError, TesseraError
from ml.home import Home, replace_file
from ml.integrity.checked_json import ChecksumError, decode_checked, encode_checked
from ml.privacy.pseudonyms import Pseudonyms

ONLINE_STATE = "online state"
PLACES = (
    ONLINE_STATE, "event log", "dead letters", "contacts", "audiences", "warehouse", "MLflow", "published bundles",
    "Bentos", "other files",
)  # fmt: skip


RECEIPT_FIELDS = {"receipt_id", "subject", "devices", "requested_at", "places", "ids", "sealed_ids"}


class UnknownReceiptError(TesseraError, KeyError):
    """There is no such receipt, or a receipt has no such place."""

    def __str__(self) -> str:
        return str(self.args[0])


class ErasureReceipts:
    """Receipts below `home/erasures`.

    The ids of a person are only in a pending file, which is deleted when all places are verified. There they are
    sealed with the key of the site, which a backup keeps apart.
    """

    def __init__(self, home: Home) -> None:
        self.folder = home.path / "erasures"
        self._pseudonyms = Pseudonyms(home.path)

    def open(self, ids: PersonIds, now: dt.datetime) -> dict[str, Any]:
        """Begin an erasure, in which every place is pending, and return its receipt.

        Args:
            ids: The ids of the person.
            now: The present time.
        """
        receipt_id = uuid.uuid4().hex
        receipt = {
            "receipt_id": receipt_id,
            "subject": self._pseudonyms.digest(ids.all[0]),
            "devices": len(ids.all) - 1,
            "requested_at": now.isoformat(),
            "places": [{"place": place, "status": "pending"} for place in PLACES],
        }
        # The receipt first: whoever looks in between, or after a kill in between, finds no ids without a receipt.
        self._write(self._path(receipt_id), receipt)
        self._write(self._pending(receipt_id), {"sealed_ids": self._pseudonyms.seal(json.dumps(asdict(ids)))})
        return receipt

    def receipt(self, receipt_id: str) -> dict[str, Any] | None:
        """Return a receipt, or None if no receipt has this id."""
        if not receipt_id.isalnum():
            return None
        try:
            return _read(self._path(receipt_id))
        except FileNotFoundError:
            return None

    def record_removed(self, receipt_id: str, place: str, count: int) -> None:
        """Add to the number of the person's records that were removed from a place. Others may be left there."""
        receipt, entry = self._entry(receipt_id, place)
        entry["removed"] = entry.get("removed", 0) + count
        self._write(self._path(receipt_id), receipt)

    def record_verified(self, receipt_id: str, place: str, how: str) -> None:
        """Record that nothing of the person is left in a place. After the last place the ids are deleted."""
        receipt, entry = self._entry(receipt_id, place)
        entry.pop("left", None)
        entry.update(status="verified", verified_by=how, at=dt.datetime.now(dt.UTC).isoformat())
        entry.setdefault("removed", 0)
        self._write(self._path(receipt_id), receipt)
        if all(entry["status"] == "verified" for entry in receipt["places"]):
            self._pending(receipt_id).unlink(missing_ok=True)

    def record_unfinished(self, receipt_id: str, place: str, left: str) -> None:
        """Record what of the person is still in a place, where the next run tries again."""
        receipt, entry = self._entry(receipt_id, place)
        entry.update(status="pending", left=left)
        self._write(self._path(receipt_id), receipt)

    def pending(self, place: str | None = None) -> dict[str, PersonIds]:
        """Return the ids, by receipt id, of the erasures that are not verified everywhere.

        Args:
            place: Only those that are not verified in this place; None for all.
        """
        files = sorted((self.folder / "pending").glob("*.json"))
        receipt_ids = [file.stem for file in files if place is None or self._is_pending(file.stem, place)]
        return {receipt_id: self._open_ids(_read(self._pending(receipt_id))) for receipt_id in receipt_ids}

    def _is_pending(self, receipt_id: str, place: str) -> bool:
        return bool(self._entry(receipt_id, place)[1]["status"] == "pending")

    def _open_ids(self, content: dict[str, Any]) -> PersonIds:
        """Return the ids of a pending file; earlier versions listed them, and did not seal them at first."""
        is_sealed = "sealed_ids" in content
        ids = json.loads(self._pseudonyms.unseal(content["sealed_ids"])) if is_sealed else content["ids"]
        if isinstance(ids, list):
            return PersonIds(tuple(ids[:1]), tuple(ids[1:]))
        return PersonIds(tuple(ids["users"]), tuple(ids["devices"]))

    def find_damage(self) -> list[DamagedFileError]:
        """Return an error for each receipt and pending file that is not what was written."""
        damages = []
        for file in sorted(self.folder.rglob("*.json")):
            try:
                content = _read(file)
            except DamagedFileError as error:
                damages.append(error)
                continue
            if content.keys() - RECEIPT_FIELDS:
                damages.append(DamagedFileError(file, "it has unknown fields", "put the file back from a backup"))
        return damages

    def _entry(self, receipt_id: str, place: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a receipt and its entry for a place.

        Raises:
            UnknownReceiptError: There is no such receipt or place.
        """
        receipt = self.receipt(receipt_id)
        if receipt is None:
            raise UnknownReceiptError(f"no receipt {receipt_id}")
        entry = next((entry for entry in receipt["places"] if entry["place"] == place), None)
        if entry is None:
            raise UnknownReceiptError(f"{place!r} is not a place of an erasure; there are {', '.join(PLACES)}")
        return receipt, entry

    def _path(self, receipt_id: str) -> Path:
        return self.folder / f"{receipt_id}.json"

    def _pending(self, receipt_id: str) -> Path:
        return self.folder / "pending" / f"{receipt_id}.json"

    @staticmethod
    def _write(path: Path, content: dict[str, Any]) -> None:
        replace_file(path, f"{encode_checked(content)}\n".encode())


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a receipt or a pending file.

    Raises:
        DamagedFileError: The file is not what was written.
    """
    try:
        return decode_checked(file.read_bytes())
    except ChecksumError as error:
        raise DamagedFileError(file, f"the file {error}", "put the file back from a backup") from None
