"""What the pages of a visit are called: by their type, by their category, and one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.sequences.paths.paths import OTHER, Paths, build_paths, merge_rare_states

PAGE_TYPE, CATEGORY, PAGE = "page_type", "category", "page"
MOST_TYPES = 20  # more kinds of pages are no kinds; a site with numbers as folders would have thousands
CAMPAIGN_PARAMETERS = ("utm_", "gclid", "gbraid", "wbraid", "fbclid", "msclkid", "mc_cid", "mc_eid", "dclid")


@dataclass(frozen=True)
class SitePage:
    """What the address of a page says.

    Attributes:
        address: The address without scheme and without the parameters of campaigns.
        folder: The first part of its path, empty for the home page.
    """

    address: str
    folder: str


def read_page(key: str) -> SitePage:
    """Read the address of a page; what is not an address stands for itself.

    A route behind `#/` or `#!` is read as a path.
    """
    try:
        parts = urlsplit(key)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:  # a faulty address of somebody's tracker
        return SitePage(key, key)
    if not parts.scheme or not parts.netloc:
        return SitePage(key, key.strip("/").split("/")[0])
    kept = [(name, value) for name, value in query if not name.lower().startswith(CAMPAIGN_PARAMETERS)]
    route = parts.fragment.lstrip("!/") if parts.fragment.startswith(("/", "!")) else ""
    path = parts.path.rstrip("/") or "/"
    address = parts.netloc + path + (f"?{urlencode(kept)}" if kept else "")
    address += f"#{parts.fragment}" if parts.fragment else ""
    return SitePage(address, (route or parts.path).strip("/").split("/")[0].split("?")[0])


def build_levels(views: pa.Table, minimum_people: int, pages_max: int) -> dict[str, Paths]:
    """Build the paths of visits at each level of detail.

    Args:
        views: The page views of visits, visit after visit in the order of time: `visit` (number of the visit, from
            0), `person` (number of the person), `is_converted` (of the visit), `page_key`, `item_id`, `category`
            and `is_product` (the item has a price).
        minimum_people: People from which a state stands for itself.
        pages_max: The largest number of pages that stand for themselves.

    Returns:
        Paths over page types, over categories and over pages, by the name of the level.
    """
    visits = np.asarray(views.column("visit")).astype(np.int64)
    is_first = np.ones(len(visits), dtype=bool)
    is_first[1:] = visits[1:] != visits[:-1]
    converted = np.asarray(views.column("is_converted"))[is_first].astype(bool)
    people = np.asarray(views.column("person"))[is_first].astype(np.int64)
    types, categories, pages = _name_states(views)
    type_of = dict(zip(categories, types, strict=True))
    category_of = dict(zip(pages, categories, strict=True))

    def merge(names: Sequence[str], other_of: Callable[[str], str], most: int) -> Paths:
        paths = build_paths(visits, names, converted, people)
        return merge_rare_states(paths, [other_of(name) for name in paths.states], minimum_people, most)

    return {
        PAGE_TYPE: merge(types, lambda _: OTHER, MOST_TYPES),
        CATEGORY: merge(categories, lambda name: type_of[name], len(type_of)),
        PAGE: merge(pages, lambda name: f"other pages: {category_of[name]}", pages_max),
    }


def _name_states(views: pa.Table) -> tuple[list[str], list[str], list[str]]:
    """Return the page type, the category and the page of each view (t,)."""
    encoded = pc.dictionary_encode(pc.fill_null(views.column("page_key"), "")).combine_chunks()
    pages = [read_page(key) for key in encoded.dictionary.to_pylist()]
    items = views.column("item_id").to_pylist()
    categories = views.column("category").to_pylist()
    products = views.column("is_product").to_pylist()
    types, of_categories, names = [], [], []
    for code, item, category, is_product in zip(
        encoded.indices.to_pylist(), items, categories, products, strict=True
    ):
        page = pages[code]
        kind = ("product" if is_product else "content") if item else f"{page.folder or 'home'} page"
        types.append(kind)
        of_categories.append((category or f"{kind} without category") if item else kind)
        names.append(item or page.address)
    return types, of_categories, names
