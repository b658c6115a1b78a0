"""One bundle ready to rank with: its items joined to the activity, its model searchable, its blend loaded."""

from __future__ import annotations

from typing import Any

from ml.decisions.blend import BLEND_FILE, Blend
from ml.decisions.linked import Linked
from ml.decisions.nearest import GRAPH_FILE, Nearest
from ml.decisions.personal import Personal
from ml.decisions.shelf import Shelf
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
        graph = shelf.bundle.path / GRAPH_FILE if shelf else None
        saved = graph if graph is not None and graph.exists() else None
        nearest = None if factors is None else Nearest(factors, approximate_above, saved)
        self.personal = Personal(self.linked, nearest, personal_candidates)
        folder = shelf.bundle.path / BLEND_FOLDER if shelf else None
        has_blend = folder is not None and (folder / BLEND_FILE).exists()
        self._facts: dict[int, dict[str, Any]] = {}
        self._topics: dict[str, list[int]] = {}
        model = shelf.bundle.path / SEGMENTATION_FOLDER if shelf else None
        self.segmentation: Segmentation | None = load_segmentation(model) if model and model.exists() else None
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

    def of_topic(self, topic: str) -> list[int]:
        """Keys of the items of a category or with a tag, the most popular of the bundle first."""
        if self.shelf is None:
            return []
        if topic not in self._topics:
            self._topics[topic] = self.linked.key_of_row[self.shelf.of_topic(topic, OF_TOPIC)].tolist()
        return self._topics[topic]

    @property
    def model_version(self) -> str | None:
        """Name of the champion, None without one."""
        return self.shelf.bundle.model_version if self.shelf else None

    @property
    def bundle_version(self) -> str | None:
        """Name of the bundle, None without one."""
        return self.shelf.bundle.version if self.shelf else None
