"""Each place of a home that a person can be in, and how the person leaves it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bundle import current_version, versions, without_people
from ml.erasure.receipts import ONLINE_STATE, ErasureDesk
from ml.erasure.tables import erase_from_tables
from ml.home import Home
from ml.recommenders.forgetting import forget_users, saved_recommenders
from ml.segmentation.user_removal import remove_example_users
from orchestration.bento import SERVICE, build_bento
from orchestration.erasure.scan import Hit, scan
from orchestration.erasure.warehouse import erase_from_warehouse, rewrite

People = Mapping[str, Sequence[str]]
PLACES_OF_PATHS = {  # the first that a path begins with
    "events/": "event log",
    "dead_letters/": "dead letters",
    "contacts/": "contacts",
    "reports/audiences/": "audiences",
    "warehouse": "warehouse",
    "mlflow.db": "MLflow",
    "mlartifacts/": "MLflow",
    "published/": "published bundles",
    "bentoml/": "Bentos",
    "state.db": ONLINE_STATE,
}
OTHER = "other files"


def erase_from_files(home: Home, people: People, desk: ErasureDesk) -> None:
    """Everything but log and dead letters: warehouse, models, bundles, Bentos, contacts, audiences, other tables.

    The caller holds the warehouse's lock.
    """
    for receipt, ids in people.items():
        if home.warehouse.exists():
            desk.removed(receipt, "warehouse", erase_from_warehouse(home.warehouse, ids))
        desk.removed(receipt, "MLflow", _forget(home.artifacts, ids) + remove_example_users(home.artifacts, ids))
        desk.removed(receipt, "contacts", erase_from_tables(home.contacts, ids))
        desk.removed(receipt, "audiences", erase_from_tables(home.reports / "audiences", ids))
        others = erase_from_tables(home.truth, ids) + _forget(home.models, ids)
        desk.removed(receipt, OTHER, others + remove_example_users(home.reports, ids))
        desk.removed(
            receipt,
            "published bundles",
            sum(_holds(home.published / name, ids) for name in versions(home.published)),
        )
        desk.removed(receipt, "Bentos", sum(_holds(folder, ids) for folder in _bentos(home)))
    if home.warehouse.exists():
        rewrite(home.warehouse)
    everyone = [one for ids in people.values() for one in ids]
    stale = [folder for folder in _bentos(home) if _holds(folder, everyone)]
    for version in versions(home.published):
        without_people(home.published, version, everyone)
    for folder in stale:
        shutil.rmtree(_bento_of(home, folder))
    current = current_version(home.published)
    if stale and current is not None:
        build_bento(home, home.published / current)


def verify(home: Home, people: People, desk: ErasureDesk) -> dict[str, int]:
    """Look at every file of the home, decoded and raw, and write into the receipts what was found.

    Returns:
        By receipt, the number of places that still hold something.
    """
    left = {}
    for receipt, ids in people.items():
        hits = scan(home.path, ids, leave_out=(desk.folder / "pending",))
        files = sum(1 for path in home.path.rglob("*") if path.is_file())
        by_place: dict[str, list[Hit]] = {}
        for hit in hits:
            by_place.setdefault(place_of(hit.path), []).append(hit)
        entries = desk.receipt(receipt)
        assert entries is not None
        for entry in entries["places"]:
            place = entry["place"]
            if place in by_place:
                desk.unfinished(receipt, place, "; ".join(f"{hit.path} ({hit.how})" for hit in by_place[place]))
            elif entry["status"] != "verified":
                desk.verified(receipt, place, f"no trace in any of the home's {files} files, decoded and raw")
        left[receipt] = len(by_place)
    return left


def place_of(path: str) -> str:
    """Which place of a receipt a file of the home belongs to."""
    return next((place for start, place in PLACES_OF_PATHS.items() if path.startswith(start)), OTHER)


def _forget(folder: Path, ids: Sequence[str]) -> int:
    return sum(forget_users(model, ids) for model in saved_recommenders(folder)) if folder.exists() else 0


def _holds(bundle: Path, ids: Sequence[str]) -> int:
    """Rows of these users in a bundle."""
    users = pq.read_table(bundle / "users.parquet", columns=["user_id"])["user_id"]
    return int(pc.sum(pc.is_in(users, value_set=pa.array(ids, pa.string()))).as_py() or 0)


def _bentos(home: Home) -> list[Path]:
    """The bundles inside the built Bentos."""
    return sorted(
        file.parent for file in (home.bentoml / "bentos" / SERVICE).glob("*/src/published/*/users.parquet")
    )


def _bento_of(home: Home, bundle: Path) -> Path:
    root = home.bentoml / "bentos" / SERVICE
    return root / bundle.relative_to(root).parts[0]
