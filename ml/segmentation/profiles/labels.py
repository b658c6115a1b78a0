"""Labels and units of features for a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ml.segmentation.features.features import matches_any
from ml.settings.segment_words import LabelSettings

SHARE = "share"
SHORT_SECONDS = 60  # below this a time is given in seconds
PER_PAGE = "per_page"
MONEY = "money"
PLAIN = LabelSettings(text="{key}", unit="")


def name_currency(labels: Mapping[str, LabelSettings], currency: str) -> dict[str, LabelSettings]:
    """Return the labels with the currency as the unit of money; "" for a currency that nobody named."""
    return {
        pattern: label.model_copy(update={"unit": currency}) if label.unit == MONEY and currency else label
        for pattern, label in labels.items()
    }


def to_words(feature: str) -> str:
    """Write a feature's name as words; the key of a map stands for the feature."""
    return feature.rsplit(":", 1)[-1].replace("_", " ")


class FeatureLabels:
    """Labels by shell pattern of feature names.

    Args:
        labels: pattern → label; the first matching pattern applies, otherwise the name itself is the label.
    """

    def __init__(self, labels: Mapping[str, LabelSettings]) -> None:
        self.labels = labels

    def _find(self, feature: str) -> LabelSettings:
        """Return the settings of the first matching pattern."""
        return next((label for pattern, label in self.labels.items() if matches_any(feature, [pattern])), PLAIN)

    def label(self, feature: str) -> str:
        """Return the feature in words, such as "visits in the evening"."""
        settings = self._find(feature)
        words = settings.text.replace("{key}", to_words(feature.removesuffix("_rate")))
        return f"{words} per 100 pages" if settings.unit == PER_PAGE else words

    def value(self, feature: str, value: float) -> str:
        """Return a value of the feature with its unit, such as 62% or 12 s."""
        unit = self._find(feature).unit
        if unit == SHARE:
            return f"{value:.0%}"
        if unit == PER_PAGE:
            return format_number(100 * value)
        if unit == MONEY:  # in a currency that nobody named
            return format_number(value)
        return f"{format_number(value)}%" if unit == "%" else f"{format_number(value)} {unit}".strip()


def format_number(value: float) -> str:
    """Format a number with two significant digits, or as a whole number with thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def describe_visit(pages: float, minutes: float | None) -> str:
    """Describe a visit, such as "4 pages in 2.2 minutes"; the time is left out where none was measured."""
    text = f"{format_number(pages)} {'page' if pages == 1 else 'pages'}"
    seconds = round(60 * (minutes or 0.0))
    if not seconds:
        return text
    if seconds < SHORT_SECONDS:
        return f"{text} in {seconds} {'second' if seconds == 1 else 'seconds'}"
    return f"{text} in {seconds / 60:.1f} minutes"


def join_words(words: Sequence[str]) -> str:
    """Join words: "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
