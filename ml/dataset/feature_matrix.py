"""Features of users or items: lists of strings such as `genre:Drama` as one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ml.arrays import Bools
from ml.dataset.ids import Ids
from ml.errors import InvalidInputError


@dataclass(frozen=True)
class FeatureMatrix:
    """The features of users or of items, one row per id.

    Attributes:
        ids: ids of the rows (users or items).
        names: the features, `family:value`.
        matrix: CSR float32 (n_ids, n_features), 1 where the id has the feature.
    """

    ids: Ids
    names: Ids
    matrix: sparse.csr_matrix

    @classmethod
    def from_table(cls, table: pa.Table, id_column: str) -> FeatureMatrix:
        """Build from `id_column` and `features` (list of strings; null is an empty list).

        A text column `features` is split at `|`, the form that CSV files use.

        Raises:
            ValueError: a column is missing or of a wrong type, or an id occurs twice.
        """
        for column in (id_column, "features"):
            if column not in table.column_names:
                raise InvalidInputError(f"column {column!r} is missing; there are {', '.join(table.column_names)}")
        ids, rows = Ids.encode_sorted(table[id_column])
        if len(ids) < len(table):
            raise InvalidInputError(f"column {id_column!r}: {len(table) - len(ids)} rows repeat an id")
        lists = table["features"]
        if pa.types.is_string(lists.type) or pa.types.is_large_string(lists.type):
            lists = pc.split_pattern(lists, "|")
        if pa.types.is_null(lists.type):
            lists = lists.cast(pa.list_(pa.string()))
        if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
            raise InvalidInputError(f"column 'features': expected lists of strings, found {lists.type}")
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
        owners = rows[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)]
        values = pc.cast(lists.flatten(), pa.string())
        filled = pc.and_(pc.is_valid(values), pc.not_equal(pc.utf8_trim_whitespace(values), ""))
        keep = np.asarray(pc.fill_null(filled, False).to_numpy(zero_copy_only=False), dtype=bool)
        names, columns = Ids.encode_sorted(values.filter(pa.array(keep)))
        ones = np.ones(len(columns), np.float32)
        matrix = sparse.csr_matrix((ones, (owners[keep], columns)), shape=(len(ids), len(names)))
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return cls(ids, names, matrix)

    def aligned(self, ids: Ids) -> FeatureMatrix:
        """Reorder the rows to match other ids; an id without features gets an empty row."""
        if ids is self.ids:
            return self
        source = self.ids.rows(ids.values)
        has_features = source >= 0
        picker = sparse.csr_matrix(
            (
                np.ones(int(has_features.sum()), np.float32),
                (np.flatnonzero(has_features), source[has_features]),
            ),
            shape=(len(ids), len(self.ids)),
        )
        return FeatureMatrix(ids, self.names, (picker @ self.matrix).tocsr())

    def families(self) -> list[str]:
        """The family of each feature: the part before the colon, or the whole name without one."""
        return [name.split(":", 1)[0] for name in self.names.to_list()]

    def select(self, mask: Bools) -> FeatureMatrix:
        """Keep the features where `mask` (n_features,) holds."""
        kept = np.flatnonzero(mask)
        return FeatureMatrix(self.ids, Ids(self.names.take(kept)), self.matrix[:, kept].tocsr())

    def without(self, family: str) -> FeatureMatrix:
        """Drop the features of one family."""
        return self.select(np.array([name != family for name in self.families()], dtype=bool))


def combined_features(
    features: FeatureMatrix | None,
    counts: npt.NDArray[Any],
    identity_from: int | None,
    ids: Ids,
    identified: Bools | None = None,
) -> tuple[sparse.csr_matrix, Ids]:
    """Join the features of rows with identity features, each row summing to one.

    Args:
        features: Features of the rows, if there are any.
        counts: Number of interactions of each row, (n_rows,).
        identity_from: Number of interactions from which a row has an identity feature. None gives identities only
            where there are no features.
        ids: Ids of the rows.
        identified: Rows that have an identity whatever their number of interactions, (n_rows,).

    Returns:
        CSR float32 (n_rows, n_features + n_identities), and the names of the columns; identities are `id:<id>`.
    """
    n_rows = len(counts)
    if features is None and identity_from is None:
        identity_from = 1
    parts = [] if features is None else [features.matrix]
    names = [] if features is None else [features.names.values]
    has_identity = np.zeros(n_rows, bool) if identified is None else identified.copy()
    if identity_from is not None:
        has_identity |= np.asarray(counts) >= identity_from
    if identity_from is not None or has_identity.any():
        identity_rows = np.flatnonzero(has_identity)
        n_identities = len(identity_rows)
        ones = np.ones(n_identities, np.float32)
        parts.append(sparse.csr_matrix((ones, (identity_rows, np.arange(n_identities))), (n_rows, n_identities)))
        names.append(identity_names(ids.take(identity_rows)))
    joined = sparse.hstack(parts, format="csr", dtype=np.float32)
    sums = np.asarray(joined.sum(axis=1)).ravel()
    scale = sparse.diags(1 / np.maximum(sums, 1e-9), dtype=np.float32)
    return (scale @ joined).tocsr().astype(np.float32), Ids(pa.concat_arrays(names))


def identity_names(ids: pa.StringArray) -> pa.StringArray:
    """Names of identity features."""
    return pc.binary_join_element_wise(pa.scalar("id"), ids, ":")
