"""What is known of the users of a site: how they use it, or only how often and how lately they came."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml.arrays import Bools
from ml.segmentation.features.features import to_floats
from ml.settings.segmentation import SegmentationSettings


def describe_by_totals(table: pa.Table, settings: SegmentationSettings) -> SegmentationSettings:
    """Return the settings that fit what is known of the users.

    The features in `roles.features` say how a person uses the site, and are empty for customers of whom only
    orders are known. Where these customers are too many to be left out, everybody is described by
    `roles.otherwise`, and the evidence is the number of events of any kind. Such totals are as sure of one event
    as of many, so that everybody shapes the segments.

    Args:
        table: all users.
        settings: the section `segmentation` of the settings.
    """
    roles, evidence = settings.roles, settings.evidence
    columns = set(table.column_names)
    if not roles.otherwise or not {evidence.column, evidence.without_it} <= columns:
        return settings
    counted = to_floats(table.column(evidence.column)) > 0
    others = ~counted & (to_floats(table.column(evidence.without_it)) > 0)
    if others.sum() <= evidence.most_without_it * (counted | others).sum():
        return settings
    return settings.model_copy(
        update={
            "roles": roles.model_copy(update={"features": roles.otherwise, "otherwise": [], "outcomes": []}),
            "evidence": evidence.model_copy(update={"column": evidence.of_totals, "minimum": 0.0}),
        }
    )


def select_shaping_users(table: pa.Table, settings: SegmentationSettings) -> Bools:
    """Mark the users (n,) with enough evidence to shape segments; if there are too few, mark all users."""
    column, minimum = settings.evidence.column, settings.evidence.minimum
    everybody = np.ones(table.num_rows, dtype=bool)
    if column not in table.column_names:
        return everybody
    enough = np.asarray(to_floats(table.column(column)) >= minimum)
    return enough if enough.sum() >= 2 * settings.minimum_segment_size else everybody
