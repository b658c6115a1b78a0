"""Words that set a segment apart: what its users are labelled with, and what they care for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.segmentation.features.features import USER_ID, flatten_map, matches_any, to_floats

MOST_WORDS = 8
MOST_INTERESTS = 6
CLEAR_DIFFERENCE = 0.05  # of the shares inside and outside; below, a word sets nobody apart
CLEAR_LIFT = 1.2  # of an interest's mean share inside over outside; below, everybody shares it
CONSENTS = "consents"
INTERESTS = ("category_affinities", "tag_affinities")


@dataclass(frozen=True)
class WordShare:
    """How much of a word there is in the segment and outside.

    Of a text column the share is that of the users who have the word; of a map of affinities the users' mean.
    """

    column: str
    word: str
    share: float
    share_outside: float


def compute_word_shares(
    table: pa.Table, inside: Bools, columns: list[str], minimum_size: int, hints: Mapping[str, Sequence[str]]
) -> tuple[WordShare, ...]:
    """Words of text or list columns that are more frequent in the segment than outside, largest difference first.

    A word is told if `minimum_size` users have it. Columns under `hints` count only users who granted the purpose.
    """
    found: list[WordShare] = []
    for column in columns:
        known = mask_disclosable(table, column, hints)
        members = int((known & inside).sum())
        here = _frequencies(table, column, pa.array(known & inside))
        there = _frequencies(table, column, pa.array(known & ~inside))
        found += [
            WordShare(column, word, share, there.get(word, 0.0))
            for word, share in here.items()
            if share - there.get(word, 0.0) >= CLEAR_DIFFERENCE and share * members >= minimum_size
        ]
    return tuple(sorted(found, key=_by_difference)[:MOST_WORDS])


def compute_interests(table: pa.Table, inside: Bools, minimum_size: int) -> tuple[WordShare, ...]:
    """Categories and tags that the segment cares for more than others do, largest difference of mean shares first.

    An interest is told if `minimum_size` users of the segment have it.
    """
    found: list[WordShare] = []
    for column in INTERESTS:
        if column in table.column_names and inside.any():
            found += sorted(_affinities(table.column(column), column, inside, minimum_size), key=_by_difference)[
                :MOST_INTERESTS
            ]
    return tuple(found)


def _affinities(column: pa.ChunkedArray, name: str, inside: Bools, minimum_size: int) -> list[WordShare]:
    rows, keys, items = flatten_map(column)
    encoded = keys.dictionary_encode()
    words, codes = encoded.dictionary.to_pylist(), np.asarray(encoded.indices)
    values = np.nan_to_num(to_floats(pa.chunked_array([items])))
    there = np.asarray(column.is_valid())
    own = inside[rows]
    users = np.bincount(codes[own & (values > 0)], minlength=len(words))
    share = np.bincount(codes[own], values[own], len(words)) / max(1, int((inside & there).sum()))
    outside = np.bincount(codes[~own], values[~own], len(words)) / max(1, int((~inside & there).sum()))
    told = (users >= minimum_size) & (share > CLEAR_LIFT * outside)
    return [WordShare(name, words[i], float(share[i]), float(outside[i])) for i in np.flatnonzero(told)]


def mask_disclosable(table: pa.Table, column: str, hints: Mapping[str, Sequence[str]]) -> Bools:
    """Of which users (n,) the column may be told: who somebody is only of those who granted the purpose for it.

    Where the table has no `consents`, such a column is told of nobody.
    """
    purpose = next((purpose for purpose, patterns in hints.items() if matches_any(column, patterns)), None)
    return np.ones(table.num_rows, dtype=bool) if purpose is None else mask_granted(table, purpose)


def mask_granted(table: pa.Table, purpose: str) -> Bools:
    """Which users (n,) granted a purpose; nobody where the table does not say."""
    allowed = np.zeros(table.num_rows, dtype=bool)
    if CONSENTS in table.column_names and table.num_rows:
        lists = table.column(CONSENTS).combine_chunks()
        has = np.asarray(pc.fill_null(pc.equal(pc.list_flatten(lists), purpose), False))
        allowed[np.asarray(pc.list_parent_indices(lists))[has]] = True
    return allowed


def select_text_columns(table: pa.Table) -> list[str]:
    """Columns of words that can describe a segment: text or lists of text, but no column of ids."""
    found = []
    for field_ in table.schema:
        type_ = field_.type.value_type if pa.types.is_list(field_.type) else field_.type
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        is_text = pa.types.is_string(type_) or pa.types.is_large_string(type_)
        if is_text and field_.name not in (USER_ID, CONSENTS) and not field_.name.endswith("_id"):
            found.append(field_.name)
    return found


def _by_difference(word: WordShare) -> tuple[float, str, str]:
    return (word.share_outside - word.share, word.column, word.word)


def _frequencies(table: pa.Table, column: str, mask: pa.Array) -> dict[str, float]:
    values = table.column(column).filter(mask)
    users = len(values)
    if pa.types.is_list(values.type):
        values = pc.list_flatten(values)
    if not users:
        return {}
    return {
        str(entry["values"]): entry["counts"] / users
        for entry in pc.value_counts(values).to_pylist()
        if entry["values"] is not None
    }
