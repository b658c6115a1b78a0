"""The item that the address of a page names."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from ml.events.normalization.short_text_cache import cache_short_texts

CACHED_ADDRESSES = 20_000


class ItemAddresses:
    """Finds items in addresses.

    Args:
        pattern: The setting `collector.item_url_pattern`, with a group `item_id`; empty where no address names an
            item.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self.item_of = cache_short_texts(CACHED_ADDRESSES)(self._item_of)

    def fill(self, events: pa.Table) -> pa.Table:
        """Fill `item_id` where it is null and `page_url` names an item."""
        if self._pattern is None or "page_url" not in events.column_names:
            return events
        if events["page_url"].null_count == len(events):
            return events
        urls = events["page_url"].combine_chunks().dictionary_encode()
        items = pa.array([self._item_of(url) for url in urls.dictionary.to_pylist()], pa.string()).take(
            urls.indices
        )
        if "item_id" not in events.column_names:
            return events.append_column("item_id", items)
        place = events.schema.get_field_index("item_id")
        return events.set_column(place, "item_id", pc.coalesce(events["item_id"], items))

    def _item_of(self, url: str) -> str | None:
        match = self._pattern.search(url) if self._pattern is not None else None
        return match["item_id"] if match else None
