"""Actions of visits as training reads them: which of them count, where visits begin, and the signals they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64, Bools
from ml.sequences.intent.running_visit import LONGEST_ELEMENT, WITH_ELEMENT

SIGNALS_MOST = 40


def counted_actions(actions: pa.Table) -> pa.Table:
    """Return the actions without purchases that do not count.

    Args:
        actions: `event_type` and `is_purchase`.
    """
    is_counted = pc.or_(pc.not_equal(actions.column("event_type"), "purchase"), actions.column("is_purchase"))
    return actions.filter(pc.fill_null(is_counted, False))


def begins_visit(actions: pa.Table) -> Bools:
    """Return whether an action is the first of its visit, (n,); `session_key` stands in the order of visits."""
    keys = np.asarray(actions.column("session_key")).astype(np.uint64)
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = keys[1:] != keys[:-1]
    return is_first


def number_people(actions: pa.Table) -> tuple[I64, list[str]]:
    """Return the number of the person of each action, (n,), and the `user_id` of each number."""
    people = actions.column("user_id").combine_chunks().dictionary_encode()
    return np.asarray(people.indices).astype(np.int64), people.dictionary.to_pylist()


def name_signals(actions: pa.Table) -> pa.ChunkedArray:
    """Return the signal of each action by its `event_type` and `element`, as `name_signal` names one."""
    kinds, elements = (actions.column(name).cast(pa.string()) for name in ("event_type", "element"))
    elements = pc.utf8_slice_codeunits(pc.fill_null(elements, ""), 0, LONGEST_ELEMENT)
    has_element = pc.and_(pc.is_in(kinds, value_set=pa.array(sorted(WITH_ELEMENT))), pc.not_equal(elements, ""))
    return pc.if_else(has_element, pc.binary_join_element_wise(kinds, elements, ":"), kinds)


def find_signals(actions: pa.Table, minimum_people: int) -> tuple[str, ...]:
    """Return the commonest signals that enough people showed, by the number of people.

    Args:
        actions: `user_id`, `event_type` and `element`.
        minimum_people: Fewer people do not make a signal.
    """
    named = pa.table({"signal": name_signals(actions), "user_id": actions.column("user_id")})
    people = named.group_by("signal").aggregate([("user_id", "count_distinct")]).to_pylist()
    common = [
        (row["user_id_count_distinct"], row["signal"])
        for row in people
        if row["user_id_count_distinct"] >= minimum_people
    ]
    return tuple(name for _, name in sorted(common, key=lambda pair: (-pair[0], pair[1]))[:SIGNALS_MOST])
