"""One bundle ready to rank with: its items joined to the activity, its model searchable, its blend loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.arrays import F32
from ml.decisions.activity.activity import Activity, Visitor
from ml.decisions.items.linked import Linked
from ml.decisions.items.nearest import GRAPH_FOLDER, Nearest
from ml.decisions.items.personal import Personal
from ml.decisions.items.shelf import Shelf
from ml.decisions.ranker.blend import BLEND_FILE, Blend
from ml.recommenders.newcomers.welcome import FILE as WELCOME_FILE
from ml.recommenders.newcomers.welcome import Welcome
from ml.segmentation import Segmentation, load_segmentation

BLEND_FOLDER = "blend"
SEGMENTATION_FOLDER = "segmentation"
REMEMBERED = 20_000
OF_TOPIC = 50


class Ranking:
    """What changes when a bundle is swapped.

    Args:
        shelf: the bundle's items; None before the first bundle.
        personal_candidates: items that the champion brings to the blend.
        approximate_above: number of items above which the search is approximate.
    """

    def __init__(self, shelf: Shelf | None, personal_candidates: int, approximate_above: int) -> None:
        self.shelf = shelf
        self.linked = Linked(shelf)
        factors = shelf.bundle.item_factors if shelf else None
        graph = shelf.bundle.path / GRAPH_FOLDER if shelf else None
        saved = graph if graph is not None and graph.exists() else None
        nearest = None if factors is None else Nearest(factors, approximate_above, saved)
        self.personal = Personal(self.linked, nearest, personal_candidates)
        folder = shelf.bundle.path / BLEND_FOLDER if shelf else None
        has_blend = folder is not None and (folder / BLEND_FILE).exists()
        self._facts: dict[int, dict[str, Any]] = {}
        self._topics: dict[str, list[int]] = {}
        model = shelf.bundle.path / SEGMENTATION_FOLDER if shelf else None
        self.segmentation: Segmentation | None = load_segmentation(model) if model and model.exists() else None
        welcome = shelf.bundle.path / WELCOME_FILE if shelf else None
        self.welcome = Welcome.load(welcome) if welcome and welcome.exists() else None
        self.blend = Blend.load(folder) if folder is not None and has_blend else Blend.prior()

    def facts(self, user: str) -> dict[str, Any]:
        """All that the bundle says of a person, empty for strangers; remembered, as it never changes."""
        row = self.shelf.user_rows.get(user) if self.shelf else None
        if self.shelf is None or row is None:
            return {}
        found = self._facts.get(row)
        if found is None:
            found = self._facts[row] = self.shelf.bundle.user(row)
            if len(self._facts) > REMEMBERED:
                del self._facts[next(iter(self._facts))]
        return found

    def visitor(self, user: str, activity: Activity) -> Visitor | None:
        """What a person did lately, with what the bundle knows of the time before memory began."""
        row = self.shelf.user_rows.get(user) if self.shelf else None
        return self.linked.remembered(activity.visitor(user), row, activity.limits)

    @property
    def search(self) -> str:
        """How the best of all items are found."""
        nearest = self.personal.nearest
        return "none" if nearest is None else "exact" if nearest.index is None else "approximate"

    def of_topic(self, topic: str) -> list[int]:
        """Keys of the items of a category or with a tag, the most popular of the bundle first."""
        if self.shelf is None:
            return []
        if topic not in self._topics:
            self._topics[topic] = self.linked.key_of_row[self.shelf.of_topic(topic, OF_TOPIC)].tolist()
        return self._topics[topic]

    def interests_vector(self, topics: Sequence[str]) -> F32 | None:
        """Factors of somebody of whom stated interests alone are known, float32 (d,).

        Each topic is folded in as one opened item, shared among its most popular ones; None where the model knows
        none of these.
        """
        if self.shelf is None:
            return None
        rows: list[int] = []
        weights: list[float] = []
        for topic in topics:
            own = [int(row) for row in self.shelf.of_topic(topic, OF_TOPIC) if self.shelf.is_known(int(row))]
            rows += own
            weights += [1 / len(own)] * len(own)
        return self.shelf.fold_in(rows, weights) if rows else None

    @property
    def model_version(self) -> str | None:
        """Name of the champion, None without one."""
        return self.shelf.bundle.model_version if self.shelf else None

    @property
    def bundle_version(self) -> str | None:
        """Name of the bundle, None without one."""
        return self.shelf.bundle.version if self.shelf else None
