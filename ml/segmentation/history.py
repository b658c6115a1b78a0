"""What was known of people earlier, beside what is known of them now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64
from ml.segmentation.evidence import EvidenceDiscount
from ml.segmentation.features.features import USER_ID, to_floats
from ml.segmentation.segmentation import Segmentation
from ml.settings.segmentation import EvidenceSettings

MUCH_EVIDENCE = 2.0  # times the evidence that shapes segments; from there a person's segment counts as settled
LEAST_COUNTED = 0.5  # share of the users who shape the segments of whom the column must count something
EARLY_SHARE = 0.5  # of the present evidence, at most, in an earlier table: most of what is known came later


def learn_discount(
    segmentation: Segmentation,
    table: pa.Table,
    shaping: pa.Table,
    earlier: Sequence[pa.Table],
    evidence: EvidenceSettings,
) -> EvidenceDiscount | None:
    """Learn how memberships are to be discounted by little evidence.

    Args:
        segmentation: the segmentation, without a discount yet.
        table: all users.
        shaping: the users who shaped the segments.
        earlier: the table of users as of earlier times.
        evidence: which column counts the evidence, and how much shapes segments.

    Returns:
        The discount, or None if the table does not count the evidence or there is only one segment. A column that
        is 0 for most of the users who shaped the segments counts something else than what is known of them, such
        as the page views of customers of whom a file of orders tells.
    """
    if evidence.column not in table.column_names or not segmentation.has_structure:
        return None
    if np.mean(to_floats(shaping.column(evidence.column)) > 0) < LEAST_COUNTED:
        return None
    prior = segmentation.memberships(shaping).mean(axis=0)
    total = prior.sum()  # below 1 where some users are noise
    if not total:
        return None
    discount = EvidenceDiscount(evidence.column, tuple((prior / total).tolist()))
    then, amounts, now = [], [], []
    pairs: set[tuple[int, float]] = set()
    # Totals of one event are as sure as those of many; that they grow says nothing of how sure they were.
    for past in earlier if evidence.minimum else ():
        if evidence.column not in past.column_names or not segmentation.can_assign(past):
            continue
        rows, places = _pair_rows(past, table, evidence, pairs)
        if len(rows):
            part = past.take(pa.array(rows))
            then.append(segmentation.memberships(part))
            amounts.append(to_floats(part.column(evidence.column)))
            now.append(segmentation.memberships(table.take(pa.array(places))))
    if not then:
        return discount
    return discount.fitted(np.concatenate(then), np.concatenate(amounts), np.concatenate(now))


def _pair_rows(
    past: pa.Table, table: pa.Table, evidence: EvidenceSettings, pairs: set[tuple[int, float]]
) -> tuple[I64, I64]:
    """Return rows of the past table, and of the same users in the present table, that show evidence growing.

    A user with the same evidence at two earlier times counts once; `pairs` remembers which ones were used.
    """
    place = pc.index_in(past.column(USER_ID).cast(pa.string()), value_set=table.column(USER_ID).cast(pa.string()))
    places = np.asarray(pc.fill_null(place, -1)).astype(np.int64)
    before = to_floats(past.column(evidence.column))
    after = np.where(places >= 0, to_floats(table.column(evidence.column))[places], 0.0)
    grows = (before > 0) & (before <= EARLY_SHARE * after) & (after >= MUCH_EVIDENCE * evidence.minimum)
    rows = []
    for row in np.flatnonzero(grows):
        pair = (int(places[row]), float(before[row]))
        if pair not in pairs:
            pairs.add(pair)
            rows.append(row)
    chosen = np.array(rows, dtype=np.int64)
    return chosen, places[chosen]
