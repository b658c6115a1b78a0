"""Finds ids in cells, texts and bytes, letter for letter: `user-100` is not in `user-1001`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from mmap import mmap
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.privacy.person_key import ANONYMOUS, USER

MAX_ID_CHARS = 1_024
SHORTEST_IN_TEXT = 6  # characters; a shorter id may stand in any file by chance
SHORTEST_RANDOM = 16  # characters of an id that a tracker draws
NAMESPACES = (USER, ANONYMOUS)
PEOPLE = frozenset(("user", "users", "anonymous", "unit", "person", "people", "visitor", "subject"))
PEOPLE_COLUMNS = frozenset(("device_id", "device_key"))


class IdMatcher:
    """Finds ids as whole words.

    Args:
        ids: The ids to find.
        others: Other ids that contain one of them, such as `user.100.5` for `user.100`; a mention of such an id is
            no mention of the shorter one.
        distinctive_only: Whether ids that may stand in a text by chance are only compared with the cells of
            columns that hold people.
        common: Those of the ids that also name something else, such as an item. They count as not distinctive.
    """

    def __init__(
        self,
        ids: Iterable[str],
        others: Iterable[str] = (),
        distinctive_only: bool = True,
        common: Collection[str] = (),
    ) -> None:
        self.ids = frozenset(ids)
        self.distinctive = frozenset(
            person for person in self.ids if is_distinctive(person) and person not in common
        )
        in_texts = self.distinctive if distinctive_only else self.ids
        self.texts = sorted({spelling for person in in_texts for spelling in _spell(person)})
        self._pattern: re.Pattern[str] | None = None
        self._bytes_pattern: re.Pattern[bytes] | None = None
        if self.texts:
            word = re.compile(_word(self.texts, r"\w-"))
            longer = [other for other in others if other not in self.ids and word.search(other)]
            spelled = sorted({spelling for other in longer for spelling in _spell(other)})
            self._pattern = re.compile(_either(spelled, self.texts, r"\w-"))
            # The bytes of a letter beyond ASCII belong to the word.
            self._bytes_pattern = re.compile(_either(spelled, self.texts, r"\w\x80-\xff-").encode())

    def ids_in(self, column: str) -> frozenset[str]:
        """Return the ids that name a person where they are a whole cell of this column."""
        return self.ids if holds_people(column) else self.distinctive

    def is_cell(self, cell: str, column: str) -> bool:
        """Return whether a cell of this column is an id or mentions one."""
        return cell in self.ids_in(column) or self.is_in_text(cell)

    def is_in_text(self, text: str) -> bool:
        """Return whether a text mentions an id."""
        return self._pattern is not None and any(match["id"] for match in self._pattern.finditer(text))

    def is_in_bytes(self, content: bytes | mmap) -> bool:
        """Return whether bytes mention an id."""
        pattern = self._bytes_pattern
        return pattern is not None and any(match["id"] for match in pattern.finditer(content))

    def cut(self, text: str, remainder: str) -> str:
        """Return a text with `remainder` in place of each id."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: remainder if match["id"] else match[0], text)

    def blank_bytes(self, content: bytes) -> bytes:
        """Return bytes of the same length with `x` in place of each letter of an id."""
        if self._bytes_pattern is None:
            return content
        return self._bytes_pattern.sub(lambda match: b"x" * len(match[0]) if match["id"] else match[0], content)

    def mark(self, column: pa.ChunkedArray | pa.Array) -> Bools:
        """Mark the rows of a text column that mention an id: bool (n,)."""
        mentioned = np.zeros(len(column), dtype=bool)
        for text in self.texts:
            contains = np.asarray(
                pc.fill_null(pc.match_substring(column, text), False).to_numpy(zero_copy_only=False)
            )
            for row in np.flatnonzero(contains & ~mentioned):
                mentioned[row] = self.is_in_text(column[int(row)].as_py())
        return mentioned


def is_distinctive(person: str) -> bool:
    """Return whether an id cannot stand in a text by chance: it is no number and not too short."""
    return len(person) >= SHORTEST_IN_TEXT and not person.isdecimal()


def looks_random(person: str) -> bool:
    """Return whether an id looks as if a tracker drew it, so that it names nothing else by chance."""
    return len(person) >= SHORTEST_RANDOM and any(letter.isdigit() for letter in person)


def holds_people(column: str) -> bool:
    """Return whether a column of this name holds ids of people, such as `user_id`."""
    return column in PEOPLE_COLUMNS or not PEOPLE.isdisjoint(re.split(r"[^a-z]+", column.lower()))


def with_namespaces(ids: Iterable[str]) -> list[str]:
    """Return the ids, followed by the keys that the online state and the tables form of them."""
    people = list(ids)
    return [*people, *(f"{namespace}{person}" for person in people for namespace in NAMESPACES)]


def find_id_fault(person: str) -> str | None:
    """Return what keeps a text from being the id of a person, or None if it can be one.

    The collector, the API and the erasure take the same ids: 1 to MAX_ID_CHARS characters of any kind.
    """
    if not person.strip():
        return "is empty"
    if len(person) > MAX_ID_CHARS:
        return f"has {len(person):,} characters; an id has at most {MAX_ID_CHARS:,}"
    return None


def _spell(person: str) -> Iterator[str]:
    """Yield an id as it is, as it stands in an address, and as it stands in JSON."""
    yield person
    encoded = person.encode("utf-8", "replace")
    yield quote(encoded, safe="")
    yield quote(encoded)
    yield json.dumps(person)[1:-1]


def _either(longer: list[str], texts: list[str], letters: str) -> str:
    word = _word(texts, letters, "id")
    return f"{_word(longer, letters)}|{word}" if longer else word


def _word(texts: list[str], letters: str, group: str | None = None) -> str:
    """Return a pattern for one of the texts that is not part of a longer word; the longest counts."""
    alternatives = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    opening = f"(?P<{group}>" if group else "(?:"
    return rf"(?<![{letters}]){opening}{alternatives})(?![{letters}])"
