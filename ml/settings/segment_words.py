"""How segments and their features are called, as defaults of the section `segmentation`."""

from ml.settings.section import Section


class LabelSettings(Section):
    """How reports call a feature, and the unit of its values: `share`, `per_page`, `money` or a word."""

    text: str
    unit: str


NAME_WORDS: dict[str, dict[str, str]] = {
    "before": {
        "daypart_shares:*": "{key}",
        "device_shares:mobile": "phone",
        "device_shares:tv": "TV",
        "device_shares:*": "{key}",
        "recency_days": "lapsed",
        "low tenure_days": "new",
        "low recency_days": "active",
    },
    "noun": {
        "otherwise": "visitors",
        "sessions": "regulars",
        "monetary": "big spenders",
        "purchase_rate": "buyers",
        "video_rate": "viewers",
        "search_rate": "searchers",
        "share_rate": "sharers",
        "scroll_rate": "scrollers",  # who scrolls much need not read long
        "engaged_seconds_per_view": "readers",
    },
    "after": {"category_shares:*": "of {key}"},
}

LABELS = {
    "daypart_shares:night": LabelSettings(text="visits at night", unit="share"),
    "daypart_shares:*": LabelSettings(text="visits in the {key}", unit="share"),
    "device_shares:mobile": LabelSettings(text="visits on a phone", unit="share"),
    "device_shares:desktop": LabelSettings(text="visits on a desktop", unit="share"),
    "device_shares:tablet": LabelSettings(text="visits on a tablet", unit="share"),
    "device_shares:tv": LabelSettings(text="visits on a TV", unit="share"),
    "device_shares:*": LabelSettings(text="visits on {key}", unit="share"),
    "category_shares:*": LabelSettings(text="views of {key}", unit="share"),
    "weekend_share": LabelSettings(text="visits at weekends", unit="share"),
    "bounce_rate": LabelSettings(text="visits that end at once", unit="share"),
    "search_rate": LabelSettings(text="searches", unit="per_page"),
    "*_rate": LabelSettings(text="{key}s", unit="per_page"),
    "mean_scroll_depth": LabelSettings(text="scroll depth", unit="%"),
    "mean_price_viewed": LabelSettings(text="price of viewed goods", unit="money"),
    "engaged_seconds_per_view": LabelSettings(text="attention per page", unit="s"),
    "recency_days": LabelSettings(text="time since the last visit", unit="days"),
    "tenure_days": LabelSettings(text="time since the first visit", unit="days"),
    "frequency": LabelSettings(text="days with a visit", unit="share"),
    "sessions": LabelSettings(text="visits", unit=""),
    "monetary": LabelSettings(text="money spent", unit="money"),
}
