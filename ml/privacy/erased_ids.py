"""Ids that were erased, as keyed digests: old files and late events that bring them again are kept out."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.home import Home
from ml.privacy.pseudonyms import Pseudonyms

SHORTEST_IN_TEXT = 6  # characters below which an id stands in any file by chance
WORDS = (re.compile(r"[^\s\"'\\,;{}\[\]()<>=&?/]+"), re.compile(r"[\w-]+"))  # ids may hold a colon or a dot


class ErasedIds:
    """Digests below `home/erasures`, one a line; the ids themselves are kept nowhere.

    An erased id is never taken again, whatever its events' time: a site that meets the person anew gives a new id.
    """

    def __init__(self, home: Home) -> None:
        self.path = home.path / "erasures" / "erased_ids"
        self._pseudonyms = Pseudonyms(home.path)
        self._digests: frozenset[str] = frozenset()
        self._size = 0
        self.refresh()

    def refresh(self) -> None:
        """Read what other processes added."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size != self._size:
            self._digests = frozenset(self.path.read_text(encoding="ascii").split())
            self._size = size

    def add(self, people: Iterable[str]) -> None:
        """Have these ids count as erased from now on; on disk when it returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("".join(f"{self._pseudonyms.digest(person)}\n" for person in people))
            file.flush()
            os.fsync(file.fileno())
        self.refresh()

    def __contains__(self, person: object) -> bool:
        return bool(self._digests) and isinstance(person, str) and self._pseudonyms.digest(person) in self._digests

    def __bool__(self) -> bool:
        return bool(self._digests)

    def among(self, ids: pa.ChunkedArray | pa.Array) -> pa.Array:
        """The erased ones among distinct or repeated ids (string): distinct, without nulls."""
        if not self._digests:
            return pa.array([], pa.string())
        return pa.array([one for one in pc.unique(ids).to_pylist() if one in self], pa.string())

    def names(self, text: str) -> bool:
        """Whether an erased id stands as a word of its own in a text, such as the JSON of a rejected row."""
        return bool(self._digests) and any(word in self for words in WORDS for word in set(words.findall(text)))

    def without(self, events: pa.Table) -> pa.Table:
        """Events (`user_id`, `anonymous_id` and others) without those of erased people.

        A row of an erased user goes, and one that names nobody but an erased device; where the user stays, the
        device's id is taken out.
        """
        if not self._digests or not len(events):
            return events
        return without_people(events, self.among(pa.chunked_array(
            [chunk for name in ("user_id", "anonymous_id") for chunk in events[name].chunks], pa.string()
        )))  # fmt: skip


def without_people(events: pa.Table, ids: pa.Array) -> pa.Table:
    """Events without those of these ids, by the rule of `ErasedIds.without`."""
    if not len(ids):
        return events
    user, device = (pc.is_in(events[name], value_set=ids) for name in ("user_id", "anonymous_id"))
    gone = pc.or_(user, pc.and_(device, pc.is_null(events["user_id"])))
    if pc.any(device).as_py():
        place = events.column_names.index("anonymous_id")
        stripped = pc.if_else(device, pa.scalar(None, pa.string()), events["anonymous_id"])
        events = events.set_column(place, events.schema.field(place), stripped)
    kept: pa.Table = events.filter(pc.invert(gone))
    return kept


def mentions(column: pa.ChunkedArray | pa.Array, ids: Iterable[str]) -> np.ndarray:
    """Where a text column names one of the ids as a word of its own: bool (n,)."""
    found = np.zeros(len(column), dtype=bool)
    for one in ids:
        near = np.asarray(pc.fill_null(pc.match_substring(column, one), False).to_numpy(zero_copy_only=False))
        for row in np.flatnonzero(near & ~found):
            found[row] = word(one).search(column[int(row)].as_py()) is not None
    return found


def is_distinctive(one: str) -> bool:
    """Whether an id that stands in a text or in bytes must be this id: no number, and not too short."""
    return len(one) >= SHORTEST_IN_TEXT and not one.isdecimal()


def word(one: str) -> re.Pattern[str]:
    """Finds an id that is no part of a longer word."""
    return re.compile(rf"(?<![\w-]){re.escape(one)}(?![\w-])")
