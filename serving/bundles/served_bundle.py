"""A bundle that is ready to answer: indexed, joined to the activity, searchable, with its models loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ml.arrays import F32, I64, Bools
from ml.bundle import BundleError
from ml.bundle.finite import require_finite, require_finite_estimator
from ml.decisions.activity.activity import Activity
from ml.decisions.activity.visitors import Visitor
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.champion_scorer import make_scorer
from ml.decisions.items.factor_index import GRAPH_FOLDER
from ml.decisions.ranker.blend import BLEND_FILE, RankingBlend
from ml.recommenders.newcomers.welcome import FILE as WELCOME_FILE
from ml.recommenders.newcomers.welcome import Welcome
from ml.segmentation import Segmentation, load_segmentation
from ml.sequences.intent.model import IntentFileError, IntentModel

BLEND_FOLDER = "blend"
SEGMENTATION_FOLDER = "segmentation"
INTENT_FOLDER = "intent"
CACHED_USERS = 20_000
OF_TOPIC = 50
CACHED_LANGUAGES = 500


@dataclass(frozen=True, eq=False)
class ReadableItems:
    """The items that people of some languages can read.

    Attributes:
        rows: Which items of the bundle these are, bool (n_items,).
        popular_keys: Keys of the most popular of them, int64 (at most OF_TOPIC,).
    """

    rows: Bools
    popular_keys: I64


class ServedBundle:
    """Everything that changes when a bundle is swapped.

    Args:
        index: The bundle's items and users; None before the first bundle.
        personal_candidates: Number of items that the champion model contributes to the candidates.
        approximate_above: Number of items above which the search is approximate.
    """

    def __init__(self, index: BundleIndex | None, personal_candidates: int, approximate_above: int) -> None:
        self.index = index
        self.join = BundleJoin(index)
        graph = index.bundle.path / GRAPH_FOLDER if index else None
        saved = graph if graph is not None and graph.exists() else None
        self.scorer = make_scorer(self.join, personal_candidates, approximate_above, saved)
        folder = index.bundle.path / BLEND_FOLDER if index else None
        has_blend = folder is not None and (folder / BLEND_FILE).exists()
        self._user_facts: dict[int, dict[str, Any]] = {}
        self._topics: dict[str, list[int]] = {}
        self._readable: dict[frozenset[str], ReadableItems | None] = {}
        model = index.bundle.path / SEGMENTATION_FOLDER if index else None
        self.segmentation: Segmentation | None = load_segmentation(model) if model and model.exists() else None
        self._intent = self._load_intent()
        welcome = index.bundle.path / WELCOME_FILE if index else None
        self.welcome = Welcome.load(welcome) if welcome and welcome.exists() else None
        self.blend = RankingBlend.load(folder) if folder is not None and has_blend else RankingBlend.prior()

    def check(self) -> None:
        """Check that the numbers of the blend, the welcome and the segmentation are finite.

        Raises:
            BundleError: A number is not.
        """
        blend, welcome = self.blend, self.welcome
        require_finite("blend.json", [*blend.means, *blend.deviations, blend.scale])
        if not (blend.deviations > 0).all() or blend.scale == 0:
            raise BundleError("blend.json divides by zero: every deviation and the scale must be positive")
        if welcome is not None:
            informations = [topic.information for topic in welcome.topics]
            gains = [*welcome.learning_curve.values(), *welcome.consent_gains.values()]
            require_finite(WELCOME_FILE, [*informations, *gains])
        for target, chance in self._intent.chances.items() if self._intent else ():
            require_finite(f"{INTENT_FOLDER}: {target}", np.concatenate([*chance.curve, chance.trees.value]))
        if self.segmentation is not None:
            require_finite_estimator(SEGMENTATION_FOLDER, self.segmentation.model)

    @property
    def model_version(self) -> str | None:
        """Version of the champion model, None without one."""
        return self.index.bundle.model_version if self.index else None

    @property
    def bundle_version(self) -> str | None:
        """Version of the bundle, None without one."""
        return self.index.bundle.version if self.index else None

    @property
    def search_kind(self) -> str:
        """How the best of all items are searched: `exact`, `approximate` or `none`."""
        factor_index = self.scorer.factor_index
        return "none" if factor_index is None else "exact" if factor_index.index is None else "approximate"

    def user_facts(self, user: str) -> dict[str, Any]:
        """Return everything that the bundle says about a person, empty for a stranger. Do not change it."""
        row = self.index.user_rows.get(user) if self.index else None
        if self.index is None or row is None:
            return {}
        facts = self._user_facts.get(row)
        if facts is None:
            facts = self._user_facts[row] = self.index.bundle.user(row)
            if len(self._user_facts) > CACHED_USERS:
                del self._user_facts[next(iter(self._user_facts))]
        return facts

    def find_visitor(self, user: str, activity: Activity) -> Visitor | None:
        """Return what a person did lately, with the openings that the bundle has from before memory began."""
        row = self.index.user_rows.get(user) if self.index else None
        return self.join.extend_history(activity.find_visitor(user), row, activity.limits)

    def tell_intent(self, user: str | None, activity: Activity, at: float) -> Mapping[str, float]:
        """Return the chances of a person's running visit by their names, `intent.convert` for example.

        Args:
            user: Key of the person; None for nobody.
            activity: What people did lately.
            at: Unix seconds.
        """
        running = activity.find_running(user, at) if user and self._intent is not None else None
        if running is None or self._intent is None:
            return {}
        if running.latest is None or running.latest[:2] != (self.bundle_version, running.events):
            chances = self._intent.tell(running, self._products.__contains__)
            named = {f"intent.{target}": chance for target, chance in chances.items()}
            running.latest = (self.bundle_version, running.events, named)
        return running.latest[2]

    @cached_property
    def _products(self) -> frozenset[str]:
        """The items that have a price."""
        if self.index is None:
            return frozenset()
        ids = self.index.item_ids
        return frozenset(ids[row] for row in np.flatnonzero(~np.isnan(self.index.price)).tolist())

    def _load_intent(self) -> IntentModel | None:
        folder = self.index.bundle.path / INTENT_FOLDER if self.index else None
        if folder is None or not folder.exists():
            return None
        try:
            return IntentModel.load(folder)
        except IntentFileError as error:
            raise BundleError(str(error)) from error

    def keys_of_topic(self, topic: str) -> list[int]:
        """Return the keys of the items of a category or with a tag, the most popular first."""
        if self.index is None:
            return []
        if topic not in self._topics:
            self._topics[topic] = self.join.key_of_row[self.index.rows_of_topic(topic, OF_TOPIC)].tolist()
        return self._topics[topic]

    @cached_property
    def topics(self) -> frozenset[str]:
        """The categories and tags of the bundle's items, which interests may name."""
        if self.index is None:
            return frozenset()
        tags = pc.unique(pc.list_flatten(self.index.tags.combine_chunks())).to_pylist()
        return frozenset(topic for topic in (*self.index.categories, *tags) if topic)

    def readable_items(self, languages: frozenset[str]) -> ReadableItems | None:
        """Return the items that people of these languages can read; None for all of them."""
        if self.index is None or not languages:
            return None
        if languages not in self._readable:
            rows = self.index.readable_rows(languages)
            is_all_or_none = rows.all() or not rows.any()
            self._readable[languages] = None if is_all_or_none else ReadableItems(rows, self._most_popular(rows))
            if len(self._readable) > CACHED_LANGUAGES:
                del self._readable[next(iter(self._readable))]
        return self._readable[languages]

    def vector_of_topics(self, topics: Sequence[str]) -> F32 | None:
        """Compute the factors of somebody about whom only stated interests are available, float32 (d,).

        Each topic is folded in as one opened item, shared among its most popular ones. The result is None if the
        model has factors of none of these.
        """
        if self.index is None:
            return None
        rows: list[int] = []
        weights: list[float] = []
        for topic in topics:
            topic_rows = self.index.rows_of_topic(topic, OF_TOPIC).tolist()
            topic_rows = [row for row in topic_rows if self.scorer.knows_item(row)]
            rows += topic_rows
            weights += [1 / len(topic_rows) for _ in topic_rows]
        return self.scorer.fold_in(rows, weights) if rows else None

    def _most_popular(self, is_chosen: Bools) -> I64:
        """Return the keys of the most popular of the chosen items, int64 (at most OF_TOPIC,)."""
        assert self.index is not None
        rows = np.flatnonzero(is_chosen)
        best = rows[np.argsort(-np.nan_to_num(self.index.popularity[rows]), kind="stable")[:OF_TOPIC]]
        return np.asarray(self.join.key_of_row[best])
