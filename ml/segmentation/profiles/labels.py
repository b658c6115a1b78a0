"""How features and their values are said to a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml.segmentation.features.features import matches_any
from ml.settings.segment_words import LabelSettings

SHARE = "share"
PER_PAGE = "per_page"
PLAIN = LabelSettings(text="{key}", unit="")


def to_words(feature: str) -> str:
    """A feature's name as words: the key of a map stands for itself."""
    return feature.rsplit(":", 1)[-1].replace("_", " ")


class FeatureLabels:
    """Labels by shell pattern of feature names: the first that matches, else the name itself."""

    def __init__(self, labels: Mapping[str, LabelSettings]) -> None:
        self.labels = labels

    def _of(self, feature: str) -> LabelSettings:
        return next((label for pattern, label in self.labels.items() if matches_any(feature, [pattern])), PLAIN)

    def label(self, feature: str) -> str:
        """The feature in words, such as "visits in the evening"."""
        found = self._of(feature)
        words = found.text.replace("{key}", to_words(feature.removesuffix("_rate")))
        return f"{words} per 100 pages" if found.unit == PER_PAGE else words

    def value(self, feature: str, value: float) -> str:
        """A value of the feature with its unit: 62%, 12 s."""
        unit = self._of(feature).unit
        if unit == SHARE:
            return f"{value:.0%}"
        if unit == PER_PAGE:
            return format_number(100 * value)
        return f"{format_number(value)} {unit}".strip()


def format_number(value: float) -> str:
    """Two figures that matter, or the whole number with thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def join_words(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
