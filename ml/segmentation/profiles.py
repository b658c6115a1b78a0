"""What sets a segment apart: size, means, effect sizes against everybody else, and over-represented words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.segmentation.features import KEY, FloatMatrix

EXAMPLES = 5
MOST_WORDS = 8
CLEAR_DIFFERENCE = 0.05  # of the shares inside and outside; below, a word sets nobody apart
CONSENTS = "consents"
PLACE_COLUMNS = ("country", "region", "city", "timezone")
MOST_TRAITS = 12
PROFILE_SCHEMA = pa.schema(
    [
        ("segment", pa.int64()),
        ("name", pa.string()),
        ("size", pa.int64()),
        ("share", pa.float64()),
        ("persona", pa.string()),
        (
            "traits",
            pa.list_(
                pa.struct(
                    [
                        ("feature", pa.string()),
                        ("mean", pa.float64()),
                        ("mean_outside", pa.float64()),
                        ("effect", pa.float64()),
                    ]
                )
            ),
        ),
        (
            "words",
            pa.list_(
                pa.struct(
                    [
                        ("column", pa.string()),
                        ("word", pa.string()),
                        ("share", pa.float64()),
                        ("share_outside", pa.float64()),
                    ]
                )
            ),
        ),
    ]
)


@dataclass(frozen=True)
class Trait:
    """One numeric feature in one segment; `effect` is Cohen's d against the users outside it."""

    feature: str
    mean: float
    mean_outside: float
    effect: float


@dataclass(frozen=True)
class WordShare:
    """How frequent a word of a text column is in the segment and outside."""

    column: str
    word: str
    share: float
    share_outside: float


@dataclass(frozen=True)
class Profile:
    """One segment, described."""

    segment: int
    name: str
    size: int
    share: float
    traits: tuple[Trait, ...]
    words: tuple[WordShare, ...]
    examples: tuple[str, ...]
    share_before: float | None = None
    persona: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def traits(X: FloatMatrix, names: list[str], inside: npt.NDArray[np.bool_]) -> tuple[Trait, ...]:
    """Every feature of X (n_users, n_features), strongest effect first; `inside` (n_users,) marks the segment."""
    if not inside.any() or inside.all():
        means = X.mean(axis=0)
        return tuple(Trait(name, float(m), float(m), 0.0) for name, m in zip(names, means, strict=True))
    a, b = X[inside], X[~inside]
    mean, outside = a.mean(axis=0), b.mean(axis=0)
    pooled = np.sqrt((len(a) * a.var(axis=0) + len(b) * b.var(axis=0)) / max(1, len(X) - 2))
    effect = np.divide(mean - outside, pooled, out=np.zeros_like(mean), where=pooled > 0)
    found = [
        Trait(name, float(m), float(o), float(e))
        for name, m, o, e in zip(names, mean, outside, effect, strict=True)
    ]
    return tuple(sorted(found, key=lambda trait: (-abs(trait.effect), trait.feature)))


def word_shares(
    table: pa.Table, inside: npt.NDArray[np.bool_], columns: list[str], minimum_size: int
) -> tuple[WordShare, ...]:
    """Words of text or list columns that are more frequent in the segment than outside, largest difference first.

    A word is told if `minimum_size` users have it. Places count only users who consent to location.
    """
    found: list[WordShare] = []
    located = _may_be_located(table)
    for column in columns:
        known = located if column in PLACE_COLUMNS else np.ones(table.num_rows, dtype=bool)
        members = int((known & inside).sum())
        here = _frequencies(table, column, pa.array(known & inside))
        there = _frequencies(table, column, pa.array(known & ~inside))
        found += [
            WordShare(column, word, share, there.get(word, 0.0))
            for word, share in here.items()
            if share - there.get(word, 0.0) >= CLEAR_DIFFERENCE and share * members >= minimum_size
        ]
    found.sort(key=lambda word: (word.share_outside - word.share, word.column, word.word))
    return tuple(found[:MOST_WORDS])


def _may_be_located(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Which users (n,) consent to location; nobody where the table does not say."""
    allowed = np.zeros(table.num_rows, dtype=bool)
    if CONSENTS in table.column_names and table.num_rows:
        lists = table.column(CONSENTS).combine_chunks()
        granted = np.asarray(pc.equal(pc.list_flatten(lists), "location"))
        allowed[np.asarray(pc.list_parent_indices(lists))[granted]] = True
    return allowed


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


def text_columns(table: pa.Table) -> list[str]:
    """Columns of words that can describe a segment: text or lists of text, but no column of ids."""
    found = []
    for field_ in table.schema:
        type_ = field_.type.value_type if pa.types.is_list(field_.type) else field_.type
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        is_text = pa.types.is_string(type_) or pa.types.is_large_string(type_)
        if is_text and field_.name not in (KEY, CONSENTS) and not field_.name.endswith("_id"):
            found.append(field_.name)
    return found


def example_users(
    table: pa.Table, inside: npt.NDArray[np.bool_], closeness: npt.NDArray[np.float64]
) -> tuple[str, ...]:
    """Ids of up to `EXAMPLES` members with the surest membership."""
    members = np.flatnonzero(inside)
    best = members[np.argsort(-closeness[members], kind="stable")[:EXAMPLES]]
    return tuple(str(user) for user in table.column(KEY).take(pa.array(best)).to_pylist())


def profile_table(profiles: Sequence[Profile], minimum_size: int) -> pa.Table:
    """The mart `segment_profiles`: one row per segment of at least `minimum_size` users."""
    rows = [
        {
            "segment": profile.segment,
            "name": profile.name,
            "size": profile.size,
            "share": profile.share,
            "persona": profile.persona,
            "traits": [asdict(trait) for trait in profile.traits[:MOST_TRAITS]],
            "words": [asdict(word) for word in profile.words],
        }
        for profile in profiles
        if profile.size >= minimum_size
    ]
    return pa.Table.from_pylist(rows, schema=PROFILE_SCHEMA)
