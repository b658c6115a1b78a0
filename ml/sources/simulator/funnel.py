"""From seeing a product to buying it, and the micro-interactions that do or do not move it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64, I64, Bools
from ml.settings.simulator import ConversionSettings
from ml.sources.simulator.interactions import (
    PageContext,
    add_element_clicks,
    add_price_hovers,
    add_scroll_reversals,
)
from ml.sources.simulator.personas import HABITS
from ml.sources.simulator.properties import CLICK_TARGETS, POSITIONS, PropertyTexts
from ml.sources.simulator.rows import GALLERY_ZOOM, RowCollector

GALLERY_RATE = 0.16
REVIEW_RATE = 0.14
PRICE_HOVER_RATE = 0.14
COUPON_RATE = 0.05
REVERSAL_RATE = 0.12
REVERSAL_RATE_ARTICLE = 0.03
ORDERED_RATE = 0.15


@dataclass(frozen=True)
class Signal:
    """A planted micro-interaction on a product page.

    `lift` is the relative rise of the session's conversion that it causes; `rises_with_intent` marks those
    that go with conversion because both follow the hidden intent of the session.
    """

    name: str
    event_type: str
    element: str
    lift: float
    rises_with_intent: bool


def signals(knobs: ConversionSettings) -> tuple[Signal, ...]:
    """The planted signals, in the order of the columns of `Purchases.fired`."""
    return (
        Signal("gallery_zoom", GALLERY_ZOOM, "gallery", knobs.gallery_zoom_lift, False),
        Signal("review_read", "click", "reviews", knobs.review_read_lift, False),
        Signal("price_hover", "hover", "price", 0.0, True),
        Signal("coupon_search", "search", "", 0.0, True),
        Signal("scroll_reversal", "scroll", "", 0.0, True),
    )


@dataclass(frozen=True)
class Order:
    """Two elements of a product page that raise conversion where the first is clicked before the other."""

    first: str
    then: str


ORDER = Order("size_guide", "delivery")


@dataclass
class Carts:
    """One row a session that puts something into the cart.

    page (c,): the page where it happens. item (c,), quantity (c,). checks_out, buys, removes (c,). ends_ms
    (c,): when the session's last page is left.
    """

    page: I64
    item: I64
    quantity: I64
    checks_out: Bools
    buys: Bools
    removes: Bools
    ends_ms: I64


def add_signals_and_carts(
    context: PageContext,
    session_user_habits: F32,
    intent: F64,
    treated: Bools,
    checkout_lift: float,
    depth: F64,
    knobs: ConversionSettings,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> Carts:
    """Draw the signals on product pages and what the sessions do with their last product.

    P(cart | session) = usual rate × habit × exp(σ z − σ²/2) × Π (1 + lift of each signal that fired in the
    session), where z is the hidden `intent` (sessions,). A click on `ORDER.first` that a click on `ORDER.then`
    follows in the session counts as one more signal; the other way round they do nothing. Checkout and purchase
    follow at fixed rates, so that the lift of the cart is the lift of the purchase. `treated` (sessions,)
    multiplies the last step by 1 + `checkout_lift`.
    """
    pages = context.pages
    n_sessions = len(session_user_habits)
    sigma = knobs.intent_sigma
    urge = np.exp(sigma * intent - sigma**2 / 2)
    product = np.flatnonzero(context.is_product & context.is_human)
    session = pages.session[product]
    page_urge = urge[session]
    eager = page_urge**2  # signals that merely go along rise faster with the intent than conversion does
    rates = (
        np.minimum(GALLERY_RATE * context.habits[product, HABITS.index("gallery")], 0.9),
        np.full(len(product), REVIEW_RATE),
        np.minimum(PRICE_HOVER_RATE * eager, 0.9) * context.has_cursor[product],
        np.minimum(COUPON_RATE * eager, 0.9),
        np.minimum(REVERSAL_RATE * eager, 0.9),
    )
    fired_pages = [product[rng.random(len(product)) < rate] for rate in rates]
    gallery, reviews, prices, coupons, reversals = fired_pages
    middle = pages.start_ms + pages.dwell_ms // 3
    rows.add(GALLERY_ZOOM, gallery, middle[gallery], None, texts.gallery + gallery % 4)
    review_click = texts.click + CLICK_TARGETS.index("reviews") * POSITIONS
    rows.add("click", reviews, middle[reviews], None, np.full(len(reviews), review_click))
    add_price_hovers(context, prices, rows, texts, rng)
    rows.add("search", coupons, middle[coupons], None, np.full(len(coupons), texts.coupon_search), item=-1)
    article = np.flatnonzero(~context.is_product & context.is_human)
    browsing_back = article[rng.random(len(article)) < REVERSAL_RATE_ARTICLE]
    add_scroll_reversals(context, np.concatenate([reversals, browsing_back]), depth, rows, texts)

    lift = np.ones(n_sessions)
    for signal, where in zip(signals(knobs), fired_pages, strict=True):
        fired = np.zeros(n_sessions, dtype=bool)
        fired[pages.session[where]] = True
        lift *= np.where(fired, 1.0 + signal.lift, 1.0)
    in_order = _click_in_order(context, product, n_sessions, rows, texts, rng)
    lift *= np.where(in_order, 1.0 + knobs.order_lift, 1.0)
    last_product = np.full(n_sessions, -1)
    last_product[session] = product  # later pages of a session overwrite earlier ones
    habit = session_user_habits[:, HABITS.index("cart")]
    chance = np.minimum(knobs.add_to_cart * habit * urge * lift, 0.95)
    buyers = np.flatnonzero((rng.random(n_sessions) < chance) & (last_product >= 0))
    page = last_product[buyers]
    c = len(buyers)
    checks_out = rng.random(c) < knobs.checkout
    buys = checks_out & (rng.random(c) < knobs.purchase * np.where(treated[buyers], 1 + checkout_lift, 1.0))
    removes = ~checks_out & (rng.random(c) < knobs.remove_from_cart)
    ends = np.zeros(n_sessions, dtype=np.int64)
    np.maximum.at(ends, pages.session, pages.start_ms + pages.dwell_ms)
    return Carts(page, pages.item[page], 1 + (rng.random(c) < 0.15), checks_out, buys, removes, ends[buyers])


def _click_in_order(
    context: PageContext,
    product: I64,
    n_sessions: int,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> Bools:
    """Click on the two elements of `ORDER` on some product pages, whoever it is, in a random order.

    Returns:
        Whether a click on the first element precedes one on the other in each session, (n_sessions,).
    """
    session = context.pages.session
    first = product[rng.random(len(product)) < ORDERED_RATE]
    then = product[rng.random(len(product)) < ORDERED_RATE]
    first_ms = add_element_clicks(context, first, ORDER.first, rows, texts, rng)
    then_ms = add_element_clicks(context, then, ORDER.then, rows, texts, rng)
    earliest = np.full(n_sessions, np.iinfo(np.int64).max)
    np.minimum.at(earliest, session[first], first_ms)
    latest = np.full(n_sessions, -1)
    np.maximum.at(latest, session[then], then_ms)
    return np.asarray(earliest < latest)
