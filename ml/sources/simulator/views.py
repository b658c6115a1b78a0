"""Everything that has an address: the item pages of a block, and the home and checkout pages around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import I64, Bools
from ml.sources.simulator.browsing import HOME_DWELL_MS, Pages
from ml.sources.simulator.funnel import Carts
from ml.sources.simulator.places import CAMPAIGNS, CHANNELS, REFERRERS
from ml.sources.simulator.properties import PropertyTexts
from ml.sources.simulator.rows import RowCollector
from ml.sources.simulator.visits import Sessions

HOME, CART, CHECKOUT = 0, 1, 2
SPECIAL_PATHS = ("/", "/cart", "/checkout")
SPECIAL_TITLES = ("Home", "Your cart", "Checkout")
CAMPAIGN_CHANNELS = tuple(i for i, campaign in enumerate(CAMPAIGNS) if campaign)
EXTERNAL_REFERRERS = len(REFERRERS)


@dataclass
class Views:
    """(v,) arrays: session; item (-1 on pages without one); url, title, referrer: codes, -1 is none.

    The first `len(pages)` rows are the item pages. url: see `url_codes`. title: SPECIAL_TITLES, then items.
    referrer: REFERRERS, then url codes.
    """

    session: I64
    item: I64
    url: I64
    title: I64
    referrer: I64


def url_codes(item: I64, campaign: I64, n_items: int) -> I64:
    """Codes of addresses: special pages, then all items, then all items once more for every campaign channel.

    `item` is a row of the items, or -1 - special for a special page; `campaign` is 0 for none, else 1 + its
    place in CAMPAIGN_CHANNELS.
    """
    specials = len(SPECIAL_PATHS)
    special_code = -1 - item + campaign * (specials + n_items)
    return np.where(item < 0, special_code, specials + item + campaign * (specials + n_items))


def lay_out(
    pages: Pages,
    starts_at_home: Bools,
    carts: Carts,
    sessions: Sessions,
    n_items: int,
    is_product: Bools,
    rows: RowCollector,
    texts: PropertyTexts,
) -> Views:
    """Addresses of all pages, their page_view events, and the funnel's events on the checkout pages."""
    p = len(pages)
    homes = np.flatnonzero(starts_at_home)
    checkouts = np.flatnonzero(carts.checks_out)
    session = np.concatenate([pages.session, homes, pages.session[carts.page[checkouts]]])
    item = np.concatenate([pages.item, np.full(len(homes) + len(checkouts), -1)])
    special = np.concatenate([pages.item, np.full(len(homes), -1 - HOME), np.full(len(checkouts), -1 - CHECKOUT)])
    is_entry = np.zeros(len(session), dtype=bool)
    is_entry[:p] = (pages.number == 0) & ~starts_at_home[pages.session]
    is_entry[p : p + len(homes)] = True
    channel = sessions.channel[session]
    campaign_of = np.zeros(len(CHANNELS), dtype=np.int64)
    campaign_of[list(CAMPAIGN_CHANNELS)] = 1 + np.arange(len(CAMPAIGN_CHANNELS))
    url = url_codes(special, np.where(is_entry, campaign_of[channel], 0), n_items)
    external = np.array([i if referrer else -1 for i, referrer in enumerate(REFERRERS)])
    referrer = np.full(len(session), EXTERNAL_REFERRERS + HOME)
    referrer[1:p] = EXTERNAL_REFERRERS + url[: p - 1]
    referrer[:p] = np.where(pages.number == 0, EXTERNAL_REFERRERS + HOME, referrer[:p])
    referrer[is_entry] = external[channel[is_entry]]
    title = np.where(item < 0, -1 - special, len(SPECIAL_PATHS) + item)

    kind = np.concatenate([is_product[:p].astype(np.int64), np.full(len(homes), 2), np.full(len(checkouts), 4)])
    properties = np.where(is_entry, texts.entry + np.minimum(kind, 2) * len(CHANNELS) + channel, texts.page + kind)
    start = np.concatenate([pages.start_ms, sessions.start_ms[homes], carts.ends_ms[checkouts] + 2_000])
    rows.add("page_view", np.arange(len(session)), start, None, properties)
    exits = p + np.arange(len(homes))
    rows.add("page_exit", exits, sessions.start_ms[homes] + HOME_DWELL_MS - 100, np.full(len(homes), 6.9))
    return Views(session, item, url, title, referrer)
