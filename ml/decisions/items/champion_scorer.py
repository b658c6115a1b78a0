"""Chooses what applies a bundle's champion: its factors, or the model itself."""

from __future__ import annotations

from pathlib import Path

from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.factor_index import FactorIndex
from ml.decisions.items.model_scorer import ModelScorer
from ml.decisions.items.personal_scorer import PersonalScorer


def make_scorer(join: BundleJoin, count: int, approximate_above: int, graph: Path | None = None) -> PersonalScorer:
    """Make the scorer of a bundle.

    Args:
        join: The bundle joined to the activity.
        count: Number of candidates of one person.
        approximate_above: Number of items above which the search by factors is approximate.
        graph: Folder of the graph of that search; None to build it.
    """
    bundle = join.index.bundle if join.index is not None else None
    if bundle is not None and bundle.item_factors is not None:
        return PersonalScorer(join, FactorIndex(bundle.item_factors, approximate_above, graph), count)
    if bundle is not None and bundle.model is not None:
        return ModelScorer(join, bundle.model, count)
    return PersonalScorer(join, None, count)
