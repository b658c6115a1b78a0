"""The word by which a column is recognized: its name without the record that holds it and without its unit."""

from __future__ import annotations

import re

from ml.tables.usual_names import normalized

# Records in which trackers keep what they know of an event: `event_properties.price` is a price.
PARENTS = re.compile(
    r"^(event_?properties|properties|event_?params|params|payload|data|attributes|fields|body)\.", re.IGNORECASE
)
LINE_OF_ORDER = re.compile(r"^line ?item[ ._]", re.IGNORECASE)  # as in `Lineitem price`, beside facts of the order
UNIT = re.compile(r"(?<=\S)\s*[(\[][^()\[\]]*[)\]]\s*$")  # as in `Price (EUR)`


def plain_name(column: str) -> str:
    """Return the name of a column in the form in which usual names are compared."""
    name = PARENTS.sub("", column)
    return normalized(UNIT.sub("", LINE_OF_ORDER.sub("", name)))


def is_of_line(column: str) -> bool:
    """Return whether a column says by its name that it is about one line of an order."""
    return bool(LINE_OF_ORDER.match(column))
