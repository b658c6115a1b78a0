"""From columns of codes to Arrow tables of canonical events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I16, I32, I64, U64
from ml.events.contract import CONSENT_PURPOSES, EVENT_SCHEMA, NETWORK_TYPES, TIMESTAMP
from ml.sources.simulator.experiments import VARIANTS, PlantedExperiment
from ml.sources.simulator.items import Items
from ml.sources.simulator.places import CAMPAIGNS, DEVICES, PLACES, REFERRERS, SITE
from ml.sources.simulator.population import Population
from ml.sources.simulator.randomness import Stream, hexadecimal, mixed
from ml.sources.simulator.rows import TYPE_NAMES, Rows
from ml.sources.simulator.topics import CATEGORY_NAMES
from ml.sources.simulator.views import CAMPAIGN_CHANNELS, SPECIAL_PATHS, SPECIAL_TITLES, Views
from ml.sources.simulator.visits import Sessions

UNKNOWN_TYPE = "pageview"
LOCATION = 3


@dataclass(frozen=True)
class ItemTexts:
    """Strings of the items.

    Attributes:
        ids: ids of the items, (n,).
        titles: SPECIAL_TITLES, then the titles of the items.
        urls: addresses in the order of `views.url_codes`.
        referrers: REFERRERS, then `urls`.
    """

    ids: pa.Array
    titles: pa.Array
    urls: pa.Array
    referrers: pa.Array


def item_texts(items: Items, ids: pa.Array, titles: pa.Array) -> ItemTexts:
    """Addresses for the items of a day."""
    categories = pa.array(CATEGORY_NAMES).take(pa.array(items.category))
    item_urls = pc.binary_join_element_wise(pa.scalar(SITE), categories, ids, "/")
    plain = pa.concat_arrays([pa.array([SITE + path for path in SPECIAL_PATHS]), item_urls])
    campaigns = [CAMPAIGNS[channel] for channel in CAMPAIGN_CHANNELS]
    with_campaign = [pc.binary_join_element_wise(plain, pa.scalar(campaign), "") for campaign in campaigns]
    urls = pa.concat_arrays([plain, *with_campaign])
    referrers = pa.concat_arrays([pa.array([referrer or "" for referrer in REFERRERS]), urls])
    return ItemTexts(ids, pa.concat_arrays([pa.array(SPECIAL_TITLES), titles]), urls, referrers)


@dataclass(frozen=True)
class Block:
    """Some sessions of one day with everything that their events refer to.

    received_ms (n rows,): Unix ms. texts: all texts that `rows.properties` refers to. first_key: number of the
    block's first event in the site's numbering; recommendations are numbered likewise.
    """

    users: Population
    sessions: Sessions
    views: Views
    rows: Rows
    received_ms: I64
    texts: pa.Array
    items: ItemTexts
    planted: tuple[PlantedExperiment, ...]
    recommendations: int
    first_key: int
    seed: int


def user_ids(keys: I64, seed: int) -> pa.Array:
    """Ids of known users."""
    return _prefixed("u", mixed(seed, Stream.USER_ID, keys))


def device_ids(keys: U64) -> pa.Array:
    """Anonymous ids of devices."""
    return _prefixed("d", keys)


def session_ids(keys: U64) -> pa.Array:
    """Ids of sessions."""
    return _fixed_width(hexadecimal(keys))


def encode(block: Block, chosen: I64, duplicate: I64, malformed: I64) -> pa.Table:
    """The chosen rows of a block, in that order, as a table with EVENT_SCHEMA's columns.

    `duplicate` and `malformed` hold one number a chosen row: 0, or the kind of what is wrong with it. A
    duplicate arrives a second later than the row it repeats.
    """
    rows, sessions, users = block.rows, block.sessions, block.users
    view = rows.view[chosen]
    session = block.views.session[view]
    user = sessions.user
    device = users.devices[user, sessions.slot]
    place = users.place[user]
    user_rows = np.where(sessions.is_known, user, -1)
    anonymous = user * users.device_keys.shape[1] + sessions.slot
    city = np.where(sessions.consent == LOCATION, place, -1)
    exposure = rows.exposure[chosen]
    bad = _Malformed(malformed)
    type_names = pa.array([*TYPE_NAMES, UNKNOWN_TYPE])
    names = [name for experiment in block.planted for name in (experiment.experiment_id,) * len(VARIANTS)]
    device_columns = {
        "device_type": [d.type for d in DEVICES],
        "os": [d.os for d in DEVICES],
        "browser": [d.browser for d in DEVICES],
    }
    key = block.first_key + chosen
    arrays = {
        "event_id": bad.null(_fixed_width(hexadecimal(mixed(block.seed, Stream.EVENT_ID, key))), 1),
        "event_type": _coded(bad.code(rows.type[chosen], 2, len(TYPE_NAMES)), type_names),
        "occurred_at": _timestamps(rows.time_ms[chosen] + bad.mask(3) * (400 * 86_400_000)),
        "received_at": _timestamps(block.received_ms[chosen] + 1_000 * duplicate),
        "user_id": _coded(bad.code(user_rows[session], 4, -1), user_ids(users.key, block.seed)),
        "anonymous_id": _coded(bad.code(anonymous[session], 4, -1), device_ids(users.device_keys.ravel())),
        "session_id": _coded(session, session_ids(sessions.key)),
        "item_id": _coded(rows.item[chosen], block.items.ids),
        "page_url": _coded(block.views.url[view], block.items.urls),
        "page_title": _coded(block.views.title[view], block.items.titles),
        "referrer": _coded(block.views.referrer[view], block.items.referrers),
        "value": _values(np.where(bad.mask(5), np.inf, rows.value[chosen])),
        "properties": _coded(rows.properties[chosen], block.texts),
    }
    for name, values in device_columns.items():
        arrays[name] = _coded(device[session], pa.array(values))
    arrays["device_type"] = _coded(
        bad.code(device[session], 6, len(DEVICES)), pa.array([*device_columns["device_type"], "phone"])
    )
    arrays["screen_width"] = pa.array(np.array([d.width for d in DEVICES], dtype=np.int32)[device][session])
    arrays["screen_height"] = pa.array(np.array([d.height for d in DEVICES], dtype=np.int32)[device][session])
    arrays["language"] = _coded(place[session], pa.array([p.language for p in PLACES]))
    arrays["timezone"] = _coded(place[session], pa.array([p.timezone for p in PLACES]))
    arrays["country"] = _coded(
        bad.code(place[session], 7, len(PLACES)), pa.array([*(p.country for p in PLACES), "USA"])
    )
    arrays["region"] = _coded(place[session], pa.array([p.region for p in PLACES]))
    arrays["city"] = _coded(city[session], pa.array([p.city for p in PLACES]))
    arrays["network_type"] = _coded(bad.code(sessions.network[session], 8, 4), pa.array([*NETWORK_TYPES, "5g"]))
    arrays["consent"] = _consents(sessions.consent[session])
    recommendation_keys = block.first_key + np.arange(block.recommendations)
    arrays["recommendation_id"] = _coded(
        rows.recommendation[chosen],
        _fixed_width(hexadecimal(mixed(block.seed, Stream.RECOMMENDATION_ID, recommendation_keys))),
    )
    arrays["experiment_id"] = _coded(exposure, pa.array(names, pa.string()))
    arrays["variant"] = _coded(exposure, pa.array([*VARIANTS] * len(block.planted), pa.string()))
    arrays["source"] = _coded(np.zeros(len(chosen), dtype=np.int32), pa.array(["simulator"]))
    arrays["authority"] = pa.nulls(len(chosen), pa.string())
    return pa.table([arrays[field.name] for field in EVENT_SCHEMA], names=EVENT_SCHEMA.names)


MALFORMED_KINDS = 8


class _Malformed:
    """Plants one fault a chosen row; the kinds are counted from 1."""

    def __init__(self, kinds: I64) -> None:
        self.kinds = kinds
        self.any = bool(kinds.any())

    def mask(self, kind: int) -> np.ndarray:
        return np.asarray(self.kinds == kind)

    def code(self, codes: I16 | I64, kind: int, wrong: int) -> I16 | I64:
        return np.where(self.mask(kind), wrong, codes) if self.any else codes

    def null(self, array: pa.Array, kind: int) -> pa.Array:
        return pc.if_else(pa.array(self.mask(kind)), pa.scalar(None, pa.string()), array) if self.any else array


def _coded(codes: I16 | I32 | I64, dictionary: pa.Array) -> pa.DictionaryArray:
    """Encode strings by their codes; a negative code is null."""
    indices = codes.astype(np.int32, copy=False)
    missing = indices < 0
    if missing.any():
        return pa.DictionaryArray.from_arrays(pa.array(indices, mask=missing), dictionary)
    return pa.DictionaryArray.from_arrays(pa.array(indices), dictionary)


def _timestamps(unix_ms: I64) -> pa.Array:
    return pa.array(unix_ms * 1000, pa.timestamp("us")).cast(TIMESTAMP)


def _values(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _fixed_width(texts: np.ndarray) -> pa.Array:
    """(n,) bytes of one width → string array, without touching a Python object."""
    width = texts.dtype.itemsize
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(texts))
    )


def _prefixed(prefix: str, keys: U64) -> pa.Array:
    digits = hexadecimal(keys)
    texts = np.empty((len(keys), 1 + digits.dtype.itemsize), dtype=np.uint8)
    texts[:, 0] = ord(prefix)
    texts[:, 1:] = digits.view(np.uint8).reshape(len(keys), digits.dtype.itemsize)
    return _fixed_width(texts.view(f"S{texts.shape[1]}").ravel())


def _consents(granted: I64) -> pa.Array:
    """Lists with the first `granted` of CONSENT_PURPOSES."""
    offsets = np.zeros(len(granted) + 1, dtype=np.int32)
    np.cumsum(granted, out=offsets[1:])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], granted)
    values = pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int8)), pa.array(CONSENT_PURPOSES))
    return pa.ListArray.from_arrays(pa.array(offsets), values.cast(pa.string()))
