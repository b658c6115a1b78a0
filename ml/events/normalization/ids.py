"""Ids that name nobody, and ids that became numbers with a fraction on their way."""

from __future__ import annotations

import re
import string

# What a program writes where it has no value, in lower case. As an id, each is shared by all who have none.
EMPTY_WORDS = frozenset(
    {"null", "(null)", "<null>", "undefined", "nan", "<na>", "nat", "none", "nil", "\\n", "[object object]"}
    | {"00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000"}
)
# What programs put in place of a person whom they do not know.
STRANGERS = frozenset(
    {"anonymous", "guest", "not_authenticated", "distinct_id", "distinctid", "true", "false", "(not set)", "unset"}
)
EMPTY_ID_FIELDS = ("event_id", "session_id", "item_id", "recommendation_id")
PERSON_FIELDS = ("user_id", "anonymous_id")
ID_FIELDS = (*PERSON_FIELDS, *EMPTY_ID_FIELDS)
NOBODY = "names nobody: programs write it where they have no id"
# Most ids begin with a letter or digit that none of these words begins with.
_FIRST_LETTERS = frozenset(word[0] for word in EMPTY_WORDS | STRANGERS)
_ORDINARY_BEGINNINGS = frozenset(
    character for character in string.ascii_letters + string.digits if character.lower() not in _FIRST_LETTERS
)
REGEX_OF_CHANGED = "|".join([r"(?i)\.", *(re.escape(word) for word in sorted(EMPTY_WORDS | STRANGERS))])
"""Matches every id that `clean_id` changes, and few others."""
_WHOLE_FLOAT = re.compile(r"(-?\d+)\.0+")
_JAVA_FLOAT = re.compile(r"(\d)\.(\d+)E(\d{1,2})")


def is_placeholder(field: str, text: str) -> bool:
    """Return whether an id is a program's word for none: `null`, `undefined`, `NaN` or the UUID of zeros.

    Args:
        field: One of ID_FIELDS.
        text: The id.
    """
    if text[:1] in _ORDINARY_BEGINNINGS:
        return False
    word = text.strip().strip("\"'").lower()
    return word in EMPTY_WORDS or (field in PERSON_FIELDS and word in STRANGERS)


def restore_id(text: str) -> str:
    """Return an id as it was before it was taken for a number: `12345678` of `12345678.0` and `1.2345678E7`."""
    if not text or not text[-1].isdigit() or "." not in text:
        return text
    whole = _WHOLE_FLOAT.fullmatch(text)
    if whole is not None:
        return whole[1]
    java = _JAVA_FLOAT.fullmatch(text)
    if java is not None and len(java[2]) <= int(java[3]) <= 17:
        return java[1] + java[2].ljust(int(java[3]), "0")
    return text


def clean_id(field: str, text: str) -> str | None:
    """Return an id as it was before it was taken for a number; None for one that names nobody.

    Args:
        field: One of ID_FIELDS.
        text: The id.
    """
    return None if is_placeholder(field, text) else restore_id(text)


def number_as_id(number: float) -> str:
    """Return the text of an id that came as a number: all of its digits, and no fraction that is zero."""
    return str(int(number)) if isinstance(number, int) or number.is_integer() else repr(number)
