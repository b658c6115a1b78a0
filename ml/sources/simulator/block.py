"""The events of some sessions of one day, with what real logs suffer from: late, repeated and malformed rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from ml.arrays import F32, F64, I64, Bools
from ml.settings.simulator import FaultSettings, SimulatorSettings
from ml.sources.simulator.browsing import ItemSampler, browse, shown_probability
from ml.sources.simulator.control import add_consent, add_exposures, add_identity, add_preferences
from ml.sources.simulator.encoding import MALFORMED_KINDS, Block, ItemTexts, encode, user_ids
from ml.sources.simulator.experiments import NEW_CHECKOUT, PlantedExperiment, is_treated, segment_names
from ml.sources.simulator.funnel import Carts, add_signals_and_carts
from ml.sources.simulator.hidden_traits import hidden_traits
from ml.sources.simulator.interactions import (
    PageContext,
    add_forms,
    add_pointer,
    add_reactions,
    add_reading,
    add_searches,
    add_videos,
)
from ml.sources.simulator.items import DAY_MS
from ml.sources.simulator.places import DEVICES
from ml.sources.simulator.population import Engagement, Population
from ml.sources.simulator.properties import PropertyTexts
from ml.sources.simulator.rows import RowCollector
from ml.sources.simulator.slots import add_hero, add_links, answers
from ml.sources.simulator.texts import CURRENCY
from ml.sources.simulator.views import lay_out
from ml.sources.simulator.visits import Sessions

IS_PHONE = np.array([device.type == "mobile" for device in DEVICES])
HAS_CURSOR = np.array([device.type in ("desktop", "bot") for device in DEVICES])


@dataclass(frozen=True)
class DayContext:
    """Users, items and settings that all blocks of a day share.

    exposure_day (experiments, visitors): the day on which each visitor was exposed to each experiment.
    """

    settings: SimulatorSettings
    seed: int
    day: int
    users: Population
    interest_cdf: F32
    exposure_day: I64
    sampler: ItemSampler
    items: ItemTexts
    planted: tuple[PlantedExperiment, ...]
    texts: PropertyTexts


def draw_block(today: DayContext, sessions: Sessions, first_key: int, rng: np.random.Generator) -> Block:
    """All events of the sessions, in no order yet."""
    settings, users, texts = today.settings, today.users, today.texts
    ids = user_ids(users.key[sessions.user], today.seed)
    hidden = hidden_traits(sessions.key, today.seed, settings.browsing.tired_share)
    pages, starts_at_home = browse(
        users, today.interest_cdf, sessions, today.sampler, settings.browsing, hidden.is_tired, rng
    )
    page_user = sessions.user[pages.session]
    items = today.sampler.items
    context = PageContext(
        pages=pages,
        items=items,
        habits=users.habits[page_user],
        has_cursor=HAS_CURSOR[users.devices[page_user, sessions.slot[pages.session]]],
        is_human=users.engagement[page_user] != Engagement.BOT,
        is_product=items.is_product[pages.item],
        heartbeat_ms=settings.browsing.heartbeat_seconds * 1000,
    )
    rows = RowCollector()
    depth = add_reading(context, rows, texts, rng)
    add_pointer(context, rows, texts, rng)
    add_videos(context, rows, texts, rng)
    add_forms(context, rows, texts, rng)
    add_searches(context, rows, texts, rng)
    add_reactions(context, rows, texts, rng)
    is_slot = (rng.random(len(pages)) < settings.browsing.slot_share) & context.is_human
    where = np.flatnonzero(is_slot)
    chances = shown_probability(today.interest_cdf, sessions, pages, where, today.sampler, settings.browsing)
    served = answers(pages, where, chances, today.items.ids)
    recommendations = add_links(context, is_slot, served, rows, texts, rng)
    carts = add_signals_and_carts(
        context,
        users.habits[sessions.user],
        hidden.intent,
        _checkout_treated(today, sessions, ids),
        settings.planted.checkout_lift,
        depth,
        settings.conversion,
        rows,
        texts,
        rng,
    )
    views = lay_out(pages, starts_at_home, carts, sessions, len(items), context.is_product, rows, texts)
    first_view = np.cumsum(np.bincount(pages.session, minlength=len(sessions))) - np.bincount(
        pages.session, minlength=len(sessions)
    )
    home_view = len(pages) + np.arange(int(starts_at_home.sum()))
    first_view[starts_at_home] = home_view
    home = np.flatnonzero(starts_at_home)
    is_phone = IS_PHONE[users.devices[sessions.user[home], sessions.slot[home]]]
    add_hero(home_view, sessions.start_ms[home], is_phone, recommendations, rows, texts, rng)
    add_identity(users, sessions, first_view, today.day, rows, texts, rng)
    add_consent(users, sessions, first_view, today.day, rows, texts)
    favourite = np.argmax(users.interest[:, 0::2] + users.interest[:, 1::2], axis=1)
    add_preferences(users, sessions, first_view, favourite, rows, texts, rng)
    own_texts = served
    is_exposed = sessions.is_first & (today.exposure_day[:, sessions.user] == today.day)
    exposed = add_exposures(
        sessions, first_view, is_exposed, ids, today.planted, settings.planted,
        len(texts) + len(own_texts), rows, texts, rng,
    )  # fmt: skip
    own_texts = own_texts + [
        _json({"unit_type": "user", "unit_id": unit_id, "segment": segment})
        for unit_id, segment in zip(
            ids.take(pa.array(exposed)).to_pylist(), segment_names(favourite[sessions.user[exposed]]), strict=True
        )
    ]
    own_texts = own_texts + _add_cart_events(carts, items.price, first_key, len(texts) + len(own_texts), rows)
    collected = rows.rows(views.item)
    latency = 200 + rng.exponential(600, len(collected)).astype(np.int64)
    session = views.session[collected.view]
    return Block(
        users=users,
        sessions=sessions,
        views=views,
        rows=collected,
        received_ms=collected.time_ms + latency + sessions.delay_ms[session],
        texts=pa.concat_arrays([texts.array, pa.array(own_texts, pa.string())]),
        items=today.items,
        planted=today.planted,
        recommendations=recommendations + len(home),
        first_key=first_key,
        seed=today.seed,
    )


def tables_by_arrival(
    block: Block, faults: FaultSettings, day_ms: int, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    """The events in the order of arrival: the sound ones that arrive on the block's own day, and all others."""
    n = len(block.rows)
    order = np.argsort(block.received_ms, kind="stable")
    repeated = order[rng.random(n) < faults.duplicate_share]
    chosen = np.concatenate([order, repeated])
    duplicate = np.concatenate([np.zeros(n, dtype=np.int64), np.ones(len(repeated), dtype=np.int64)])
    broken = rng.random(len(chosen)) < faults.malformed_share
    malformed = np.where(broken & (duplicate == 0), rng.integers(1, MALFORMED_KINDS + 1, len(chosen)), 0)
    apart = (block.received_ms[chosen] + 1000 * duplicate >= day_ms + DAY_MS) | (malformed > 0)
    parts = [encode(block, chosen[mask], duplicate[mask], malformed[mask]) for mask in (~apart, apart)]
    return parts[0], parts[1]


def _checkout_treated(today: DayContext, sessions: Sessions, ids: pa.Array) -> Bools:
    """(sessions,) whether the new checkout is shown; `ids` are those of the sessions' users."""
    experiment = today.planted[NEW_CHECKOUT]
    exposed = today.exposure_day[NEW_CHECKOUT, sessions.user] <= today.day
    return np.asarray(exposed & (today.day < experiment.end_day) & is_treated(ids, experiment.experiment_id))


def _add_cart_events(carts: Carts, price: F64, first_key: int, first_text: int, rows: RowCollector) -> list[str]:
    """Add what happens to carts; returns the events' texts, whose codes begin at `first_text`."""
    n = len(carts.page)
    unit_price = price[carts.item]
    text = first_text + np.arange(n)
    added = carts.ends_ms - 500
    rows.add("add_to_cart", carts.page, added, None, text)
    gone = carts.removes
    rows.add("remove_from_cart", carts.page[gone], carts.ends_ms[gone] + 900, None, text[gone])
    out = carts.checks_out
    rows.add("checkout", carts.page[out], carts.ends_ms[out] + 2_500, None, text[out])
    buys = carts.buys
    paid = np.round(unit_price * carts.quantity, 2)
    rows.add(
        "purchase", carts.page[buys], carts.ends_ms[buys] + 60_000, paid[buys], first_text + n + np.arange(n)[buys]
    )
    basket = [
        {"currency": CURRENCY, "price": unit, "quantity": quantity}
        for unit, quantity in zip(unit_price.tolist(), carts.quantity.tolist(), strict=True)
    ]
    orders = [{**row, "order_id": f"o{first_key + i:x}"} for i, row in enumerate(basket)]
    return [_json(row) for row in [*basket, *orders]]


def _json(value: dict[str, object]) -> str:
    return orjson.dumps(value).decode()
