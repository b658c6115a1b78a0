"""The published bundle: all that the service answers from, written whole and then made current.

`published/<version>/` holds `manifest.json` (sha256 and size of each other file), the items and users as
Parquet, the model's factors and the users' histories as `.npy`, and whatever else was published with them.
`published/CURRENT` names the version that counts; it moves by one atomic rename. `published/CANARY` names the
one that is tried on a share of the people, if there is one.
"""

from ml.bundle.bundle import Bundle
from ml.bundle.files import BundleError
from ml.bundle.publication import FACTS_WITHOUT_CONSENT, ITEM_COLUMNS, TRENDING_SCHEMA, Publication
from ml.bundle.user_removal import remove_users
from ml.bundle.versions import (
    canary_version,
    current_version,
    find_canary,
    find_current,
    find_version,
    make_canary,
    make_current,
    remove_abandoned_versions,
    remove_versions,
    versions,
)
from ml.bundle.writer import build_bundle, write_bundle
from ml.recommenders.fold_in import FoldIn

__all__ = [
    "FACTS_WITHOUT_CONSENT",
    "ITEM_COLUMNS",
    "TRENDING_SCHEMA",
    "Bundle",
    "BundleError",
    "FoldIn",
    "Publication",
    "build_bundle",
    "canary_version",
    "current_version",
    "find_canary",
    "find_current",
    "find_version",
    "make_canary",
    "make_current",
    "remove_abandoned_versions",
    "remove_users",
    "remove_versions",
    "versions",
    "write_bundle",
]
