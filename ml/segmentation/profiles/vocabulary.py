"""Find words that set a segment apart: the labels and the interests of its users."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import hypergeom, ttest_ind_from_stats

from ml.arrays import F64, I64, Bools
from ml.segmentation.features.features import USER_ID, flatten_map, matches_any, to_floats
from ml.segmentation.profiles.certainty import are_certain

MAXIMUM_WORDS = 8
MAXIMUM_INTERESTS = 6
CLEAR_DIFFERENCE = 0.05  # between the shares inside and outside; a smaller one sets nobody apart
CLEAR_LIFT = 1.2  # an interest's mean share inside over outside; with less, everybody shares it
CONSENTS = "consents"
INTERESTS = ("category_affinities", "tag_affinities")


@dataclass(frozen=True)
class WordShare:
    """Share of a word in the segment and outside.

    For a text column the share counts the users who have the word; for a map of affinities it is the users' mean.
    `holders` is the share of the segment's users who have the word at all.
    """

    column: str
    word: str
    share: float
    share_outside: float
    holders: float = 1.0


def compute_word_shares(
    table: pa.Table,
    inside: Bools,
    columns: list[str],
    *,
    minimum_size: int,
    hints: Mapping[str, Sequence[str]],
    segments: int,
) -> tuple[WordShare, ...]:
    """Return words of text or list columns that are more frequent in the segment, largest difference first.

    A word is reported if at least `minimum_size` users of the segment have it, and if Fisher's exact test is
    certain of the difference, given how many words of how many segments were looked at.

    Args:
        table: the users.
        inside: the users of the segment, (n_users,).
        columns: columns of text or of lists of text.
        minimum_size: users of the segment that a word needs.
        hints: purpose of consent → columns that count only users who granted it.
        segments: number of segments that are compared in the same way.
    """
    compared = 0
    words: list[WordShare] = []
    p_values: list[float] = []
    for column in columns:
        disclosable = mask_disclosable(table, column, hints)
        members, others = int((disclosable & inside).sum()), int((disclosable & ~inside).sum())
        here = _count_words(table, column, pa.array(disclosable & inside))
        there = _count_words(table, column, pa.array(disclosable & ~inside))
        compared += len(here.keys() | there.keys())
        for word, users in here.items():
            outside = there.get(word, 0)
            share, share_outside = users / members, outside / max(1, others)
            if share - share_outside >= CLEAR_DIFFERENCE and users >= minimum_size:
                words.append(WordShare(column, word, share, share_outside, share))
                p_values.append(hypergeom.sf(users - 1, members + others, users + outside, members))
    certain = are_certain(np.array(p_values), compared * segments)
    return tuple(sorted(itertools.compress(words, certain), key=_sort_key)[:MAXIMUM_WORDS])


def compute_interests(table: pa.Table, inside: Bools, minimum_size: int, segments: int) -> tuple[WordShare, ...]:
    """Return categories and tags that the segment prefers, largest difference of mean shares first.

    An interest is reported if at least `minimum_size` users of the segment have it, and if Welch's test is certain
    of the difference, given how many interests of how many segments were looked at. Of a segment that holds
    everybody, the largest interests are reported.
    """
    words: list[WordShare] = []
    for column in INTERESTS:
        if column in table.column_names and inside.any():
            words += sorted(
                _compute_affinities(table.column(column), column, inside, minimum_size, segments), key=_sort_key
            )[:MAXIMUM_INTERESTS]
    return tuple(words)


def _compute_affinities(
    column: pa.ChunkedArray, name: str, inside: Bools, minimum_size: int, segments: int
) -> list[WordShare]:
    """Return the preferred keys of a map of affinities."""
    rows, keys, items = flatten_map(column)
    encoded = keys.dictionary_encode()
    words, codes = encoded.dictionary.to_pylist(), np.asarray(encoded.indices)
    values = np.nan_to_num(to_floats(pa.chunked_array([items])))
    has_map = np.asarray(column.is_valid())
    is_inside = inside[rows]
    users = np.bincount(codes[is_inside & (values > 0)], minlength=len(words))
    members, others = int((inside & has_map).sum()), int((~inside & has_map).sum())
    share, deviation = _average_by_key(codes[is_inside], values[is_inside], len(words), members)
    outside, deviation_outside = _average_by_key(codes[~is_inside], values[~is_inside], len(words), others)
    reported = (users >= minimum_size) & (share > CLEAR_LIFT * outside)
    if others:
        with np.errstate(all="ignore"):  # an interest that everybody has alike has no p-value
            test = ttest_ind_from_stats(
                share, deviation, members, outside, deviation_outside, others, equal_var=False
            )
        reported &= are_certain(test.pvalue, len(words) * segments)
    holders = users / max(1, members)
    return [
        WordShare(name, words[i], float(share[i]), float(outside[i]), float(holders[i]))
        for i in np.flatnonzero(reported)
    ]


def _average_by_key(codes: I64, values: F64, keys: int, users: int) -> tuple[F64, F64]:
    """Return the mean and the standard deviation of each key's values (keys,) over users, who lack most keys."""
    mean = np.bincount(codes, values, keys) / max(1, users)
    square = np.bincount(codes, values**2, keys) / max(1, users)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0) * users / max(1, users - 1))


def mask_disclosable(table: pa.Table, column: str, hints: Mapping[str, Sequence[str]]) -> Bools:
    """Mark the users (n,) for whom a column may be disclosed.

    A column under `hints` may be disclosed only for users who granted its purpose. Without a column `consents` in
    the table, such a column is disclosed for nobody.
    """
    purpose = next((purpose for purpose, patterns in hints.items() if matches_any(column, patterns)), None)
    return np.ones(table.num_rows, dtype=bool) if purpose is None else mask_granted(table, purpose)


def mask_granted(table: pa.Table, purpose: str) -> Bools:
    """Mark the users (n,) who granted a purpose; nobody if the table does not say."""
    allowed = np.zeros(table.num_rows, dtype=bool)
    if CONSENTS in table.column_names and table.num_rows:
        lists = table.column(CONSENTS).combine_chunks()
        has = np.asarray(pc.fill_null(pc.equal(pc.list_flatten(lists), purpose), False))
        allowed[np.asarray(pc.list_parent_indices(lists))[has]] = True
    return allowed


def select_text_columns(table: pa.Table) -> list[str]:
    """Return the columns whose words can describe a segment: text or lists of text, but no ids."""
    names = []
    for field_ in table.schema:
        type_ = field_.type.value_type if pa.types.is_list(field_.type) else field_.type
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        is_text = pa.types.is_string(type_) or pa.types.is_large_string(type_)
        if is_text and field_.name not in (USER_ID, CONSENTS) and not field_.name.endswith("_id"):
            names.append(field_.name)
    return names


def _sort_key(word: WordShare) -> tuple[float, str, str]:
    """Sort words by descending difference, then by column and word."""
    return (word.share_outside - word.share, word.column, word.word)


def _count_words(table: pa.Table, column: str, mask: pa.Array) -> dict[str, int]:
    """Count the marked users who have each word."""
    values = table.column(column).filter(mask)
    if pa.types.is_list(values.type):
        pairs = pa.table({"user": pc.list_parent_indices(values), "word": pc.list_flatten(values)})
        values = pairs.group_by(["user", "word"]).aggregate([]).column("word")  # a repeated word counts once
    return {
        str(entry["values"]): entry["counts"]
        for entry in pc.value_counts(values).to_pylist()
        if entry["values"] is not None
    }
