"""Erases people from each place of a home, and verifies that nothing of them is left."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bundle import current_version, remove_abandoned_versions, remove_users, remove_versions, versions
from ml.erasure.receipts import ONLINE_STATE, ErasureReceipts
from ml.erasure.tables import erase_from_tables
from ml.home import Home
from ml.privacy.id_matcher import IdMatcher, with_namespaces
from ml.recommenders.user_removal import forget_users, saved_recommenders
from ml.segmentation.user_removal import remove_example_users
from orchestration.bento import SERVICE, build_bento
from orchestration.erasure.databases import scan_databases
from orchestration.erasure.scan import ScanHit, scan_files
from orchestration.erasure.state import erase_from_state, remove_damaged_states
from orchestration.erasure.texts import erase_from_texts
from orchestration.erasure.warehouse import erase_from_warehouse, rewrite_warehouse

People = Mapping[str, Sequence[str]]
PLACES_OF_PATHS = {  # by the beginning of a path; the first match counts
    "events/": "event log",
    "dead_letters/": "dead letters",
    "quarantine/": "dead letters",
    "contacts/": "contacts",
    "reports/audiences/": "audiences",
    "warehouse": "warehouse",
    "mlflow.db": "MLflow",
    "MLflow: ": "MLflow",
    "mlartifacts/": "MLflow",
    "published/": "published bundles",
    "fetched/": "published bundles",
    "bentoml/": "Bentos",
    "state.db": ONLINE_STATE,
}
OTHER = "other files"


def erase_from_files(
    home: Home,
    people: People,
    receipts: ErasureReceipts,
    others: Sequence[str] = (),
    common: Collection[str] = (),
) -> None:
    """Erase people from the warehouse, models, bundles, Bentos, contacts, audiences and other tables.

    The log and the dead letters are not touched. The caller holds the warehouse's lock.

    Args:
        home: The home.
        people: The ids of each person, by receipt.
        receipts: Where the numbers of removed records are written.
        others: The ids of other people that contain one of these, as `find_longer_ids` returns them.
        common: The ids that name something else as well, as `find_common_names` returns them.
    """
    for receipt, person_ids in people.items():
        ids = with_namespaces(person_ids)
        matcher = IdMatcher(ids, others, common=with_namespaces(common))
        receipts.record_removed(receipt, ONLINE_STATE, erase_from_state(home.state_db, matcher))
        remove_damaged_states(home.state_db, matcher)
        if home.warehouse.exists():
            receipts.record_removed(receipt, "warehouse", erase_from_warehouse(home.warehouse, matcher))
        receipts.record_removed(
            receipt, "MLflow", _forget(home.artifacts, ids) + remove_example_users(home.artifacts, ids)
        )
        receipts.record_removed(receipt, "contacts", erase_from_tables(home.contacts, matcher))
        receipts.record_removed(receipt, "audiences", erase_from_tables(home.reports / "audiences", matcher))
        from_tables = erase_from_tables(home.truth, matcher) + _forget(home.models, ids)
        from_tables += remove_example_users(home.reports, ids)
        from_texts = erase_from_texts(home, matcher)
        receipts.record_removed(receipt, OTHER, from_tables + from_texts)
        receipts.record_removed(
            receipt,
            "published bundles",
            sum(
                _count_users(folder / name, ids)
                for folder in (home.published, home.fetched)
                for name in versions(folder)
            ),
        )
        receipts.record_removed(receipt, "Bentos", sum(_count_users(folder, ids) for folder in _bentos(home)))
    if home.warehouse.exists():
        rewrite_warehouse(home.warehouse)
    everyone = with_namespaces(person for ids in people.values() for person in ids)
    stale = [folder for folder in _bentos(home) if _count_users(folder, everyone)]
    remove_abandoned_versions(home.published)
    for version in versions(home.published):
        remove_users(home.published, version, everyone)
    _drop_fetched(home.fetched, everyone)
    for folder in stale:
        shutil.rmtree(_bento_of(home, folder))
    current = current_version(home.published)
    if stale and current is not None:
        build_bento(home, home.published / current)


def verify_erasures(
    home: Home,
    people: People,
    receipts: ErasureReceipts,
    others: Sequence[str] = (),
    common: Collection[str] = (),
) -> dict[str, int]:
    """Search every file of the home, decoded and raw, and its databases; write the result into the receipts.

    Args:
        home: The home.
        people: The ids of each person, by receipt.
        receipts: Where the result is written.
        others: The ids of other people that contain one of these, as `find_longer_ids` returns them.
        common: The ids that name something else as well, as `find_common_names` returns them.

    Returns:
        The number of places that still hold something, by receipt.
    """
    left = {}
    for receipt, ids in people.items():
        hits = scan_files(home.path, ids, leave_out=(receipts.folder / "pending",), others=others, common=common)
        hits += scan_databases(home, ids, others, common)
        searched = f"{sum(1 for path in home.path.rglob('*') if path.is_file())} files, decoded and raw"
        if home.mlflow_database or home.dagster_database:
            searched += ", and of its databases"
        by_place: dict[str, list[ScanHit]] = {}
        for hit in hits:
            by_place.setdefault(find_place(hit.path), []).append(hit)
        entries = receipts.receipt(receipt)
        assert entries is not None
        for entry in entries["places"]:
            place = entry["place"]
            if place in by_place:
                receipts.record_unfinished(
                    receipt, place, "; ".join(f"{hit.path} ({hit.how})" for hit in by_place[place])
                )
            elif entry["status"] != "verified":
                receipts.record_verified(receipt, place, f"no trace in any of the home's {searched}")
        left[receipt] = len(by_place)
    return left


def find_place(path: str) -> str:
    """Return the place of a receipt that a file of the home belongs to."""
    return next((place for start, place in PLACES_OF_PATHS.items() if path.startswith(start)), OTHER)


def _forget(folder: Path, ids: Sequence[str]) -> int:
    return sum(forget_users(model, ids) for model in saved_recommenders(folder)) if folder.exists() else 0


def _count_users(bundle: Path, ids: Sequence[str]) -> int:
    """Count the rows of these users in a bundle."""
    users = pq.read_table(bundle / "users.parquet", columns=["user_id"])["user_id"]
    return int(pc.sum(pc.is_in(users, value_set=pa.array(ids, pa.string()))).as_py() or 0)


def _drop_fetched(fetched: Path, ids: Sequence[str]) -> None:
    """Delete the fetched versions that hold one of these users; the service fetches what is shared next."""
    holding = [name for name in versions(fetched) if _count_users(fetched / name, ids)]
    remove_versions(fetched, holding)


def _bentos(home: Home) -> list[Path]:
    """Return the bundles inside the built Bentos."""
    return sorted(
        file.parent for file in (home.bentoml / "bentos" / SERVICE).glob("*/src/published/*/users.parquet")
    )


def _bento_of(home: Home, bundle: Path) -> Path:
    root = home.bentoml / "bentos" / SERVICE
    return root / bundle.relative_to(root).parts[0]
