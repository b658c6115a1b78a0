"""Texts of the column `properties`: JSON objects that recur are written once and events carry their codes."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pyarrow as pa

from ml.sources.simulator.contents import CONTENTS, DEVICES, RULE, SHOWN_CHANCES, SLOT
from ml.sources.simulator.places import CHANNELS
from ml.sources.simulator.topics import CATEGORIES, LANGUAGES, TOPICS

HOVER_TARGETS = ("headline", "image", "author", "related", "price", "rating")
PRICE = HOVER_TARGETS.index("price")
CLICK_TARGETS = ("related", "menu", "reviews", "image", "accordion", "cta_disabled", "size_guide", "delivery")
FORMS = ("newsletter", "contact", "comment", "review")
SLOTS = ("related", "sidebar", "home_hero")
POSITIONS = 8
COUPON_QUERY = "coupon code"
MODEL_VERSION = "simulator-1"


class PropertyTexts:
    """All texts that recur; each attribute is the code of the first text of its family."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        percent = range(101)
        self.page = self._family(
            {"page_type": kind} for kind in ("article", "product", "home", "cart", "checkout")
        )
        self.entry = self._family(
            {"page_type": kind, "entry": True, "channel": channel}
            for kind in ("article", "product", "home")
            for channel in CHANNELS
        )
        self.scroll_depth = self._family({"scroll_depth": p} for p in percent)
        self.scroll_down = self._family({"direction": "down", "from": p} for p in percent)
        self.scroll_up = self._family({"direction": "up", "from": p} for p in percent)
        self.hover = self._family({"element": name} for name in HOVER_TARGETS)
        self.click = self._family(
            {"element": name, "position": place + 1} for name in CLICK_TARGETS for place in range(POSITIONS)
        )
        self.dead_click = self._family({"element": name} for name in CLICK_TARGETS)
        self.rage_click = self._family({"element": name, "clicks": 3} for name in CLICK_TARGETS)
        self.form = self._family({"form_id": name} for name in FORMS)
        self.form_abandon = self._family({"form_id": name, "last_field": "email"} for name in FORMS)
        self.video = self._family({"player": "main", "length_seconds": 30 * n} for n in range(1, 11))
        self.search = self._family(
            {"query": " ".join(topic.words[language][i : i + 2])}
            for topic in TOPICS
            for language in range(len(LANGUAGES))
            for i in range(4)
        )
        self.coupon_search = self._family([{"query": COUPON_QUERY}])
        self.slot = self._family({"slot": slot, "rank": rank + 1} for slot in SLOTS for rank in range(POSITIONS))
        self.slot_click = self._family(
            {"element": "recommendation", "slot": slot, "rank": rank + 1}
            for slot in SLOTS
            for rank in range(POSITIONS)
        )
        self.hero_served = self._family(
            {
                "slot": SLOT,
                "model_version": MODEL_VERSION,
                "items": [content],
                "ranks": [1],
                "propensities": [float(SHOWN_CHANCES[device, place])],
                "decision": {"content": content},
                "rules": {"content": RULE},
            }
            for device in range(len(DEVICES))
            for place, content in enumerate(CONTENTS)
        )
        self.hero_click = self._family(
            {"element": SLOT, "slot": SLOT, "rank": 1, "content": content} for content in CONTENTS
        )
        self.surface = self._family([{"surface": "toolbar"}])
        self.share = self._family({"network": name} for name in ("mail", "whatsapp", "x", "copy_link"))
        self.comment = self._family({"characters": 20 * n} for n in range(1, 21))
        self.follow = self._family({"topic": topic.name} for topic in TOPICS)
        self.preference = self._family({"topics": [category.name], "max_per_day": 3} for category in CATEGORIES)
        self.gallery = self._family({"element": "gallery", "image": n} for n in range(1, 5))
        self.identify = self._family([{"method": "login"}, {"method": "signup"}])
        self.subscribe = self._family([{"plan": "newsletter"}])
        self.granted = self._family(
            [
                {"purposes": []},
                {"purposes": ["analytics"]},
                {"purposes": ["analytics", "personalization"]},
                {"purposes": ["analytics", "personalization", "location"]},
            ]
        )
        self.withdrawn = self._family([{"purposes": ["personalization", "location"]}])
        self.segment_feedback = self._family([{"agrees": True}, {"agrees": False}])
        self.unparsable = self._family([{"note": "malformed"}])
        self.array = pa.array(self._texts, pa.string())

    def __len__(self) -> int:
        return len(self._texts)

    def _family(self, objects: Iterable[dict[str, object]]) -> int:
        first = len(self._texts)
        self._texts.extend(orjson.dumps(item).decode() for item in objects)
        return first
