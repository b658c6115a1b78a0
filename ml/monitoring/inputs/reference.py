"""The reference of a model: the profile of what it was trained on, and the items that it knows, in one folder."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.cluster import KMeans

from ml.arrays import F32
from ml.errors import DamagedFileError
from ml.home import replace_file
from ml.integrity.checked_json import ChecksumError, decode_checked, encode_checked
from ml.monitoring.inputs.profile import ColumnProfile
from ml.monitoring.inputs.windows import CLUSTER, INTERACTIONS, USERS, InputWindow, KnownItems

FOLDER = "reference"
FORMAT = 1
N_CLUSTERS = 8
MOST_FITTED_ITEMS = 20_000
_PROFILE, _ITEMS = "profile.json", "items.parquet"


@dataclass(frozen=True)
class Reference:
    """What a model was trained on.

    Attributes:
        trained_until: The newest event of its training, naive UTC.
        columns: The profiles of the columns that it reads.
        items: The items that it knows.
    """

    trained_until: dt.datetime
    columns: list[ColumnProfile]
    items: KnownItems

    def columns_of(self, frame: str) -> list[str]:
        """Names of the columns of a frame."""
        return [profile.column for profile in self.columns if profile.frame == frame]

    def save(self, folder: Path) -> None:
        """Write the reference into a folder, in place of an earlier one."""
        document = {
            "format": FORMAT,
            "trained_until": self.trained_until.isoformat(),
            "columns": [column.document() for column in self.columns],
        }
        table = io.BytesIO()
        pq.write_table(self.items.table, table)
        replace_file(folder / _ITEMS, table.getvalue())
        replace_file(folder / _PROFILE, encode_checked(document).encode())

    @classmethod
    def load(cls, folder: Path) -> Reference | None:
        """Read the reference of a folder; None where there is none that this version can read.

        Raises:
            DamagedFileError: The file was cut or changed.
        """
        file = folder / _PROFILE
        if not file.exists():
            return None
        try:
            document = decode_checked(file.read_bytes())
        except ChecksumError as error:
            raise DamagedFileError(file, str(error), "run `tessera materialize --job training`") from error
        if document.get("format") != FORMAT:
            return None
        return cls(
            dt.datetime.fromisoformat(document["trained_until"]),
            [ColumnProfile.from_document(column) for column in document["columns"]],
            KnownItems(pq.read_table(folder / _ITEMS)),
        )


@dataclass(frozen=True)
class Unknown:
    """What a model has not seen.

    Attributes:
        people: Share of the people of a week who came after the training.
        clicks: Share of its interactions with items that the model does not know.
    """

    people: float
    clicks: float


def measure_unknown(reference: Reference, window: InputWindow) -> Unknown:
    """Measure how much of a week the model has not seen."""
    users = window.tables[USERS]
    is_later = pc.greater(users["first_seen_at"], pa.scalar(reference.trained_until, users["first_seen_at"].type))
    people = (pc.sum(is_later).as_py() or 0) / max(len(users), 1)
    return Unknown(people, reference.items.unknown_share(window.tables[INTERACTIONS]))


def cluster_items(item_ids: pa.Array, factors: F32 | None, seed: int) -> KnownItems:
    """Put the items of a model into clusters of like factors, so that a shift of what is clicked shows.

    Args:
        item_ids: Ids of the items.
        factors: (n_items, d); None for a model without factors.
        seed: Seed of the start of k-means.
    """
    ids = pa.array(item_ids, pa.string())
    if factors is None or len(factors) < 2 * N_CLUSTERS:
        return KnownItems(pa.table({"item_id": ids, CLUSTER: pa.nulls(len(ids), pa.string())}))
    sample = np.random.default_rng(seed).permutation(len(factors))[:MOST_FITTED_ITEMS]
    clusters = KMeans(N_CLUSTERS, n_init=1, random_state=seed).fit(factors[sample]).predict(factors)
    return KnownItems(pa.table({"item_id": ids, CLUSTER: pa.array([f"cluster {place}" for place in clusters])}))
