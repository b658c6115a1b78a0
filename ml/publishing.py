"""Publication of a bundle: the data of the marts and of the champion that the service needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import F32, F64, I32, I64
from ml.bundle import (
    FACTS_WITHOUT_CONSENT,
    ITEM_COLUMNS,
    TRENDING_SCHEMA,
    Publication,
    build_bundle,
    write_bundle,
)
from ml.dataset.ids import Ids
from ml.decisions.activity.activity import ActivityLimits
from ml.decisions.activity.event_log_changes import read_newest_changes
from ml.decisions.items.bundle_index import TRAINED_UNTIL, BundleIndex
from ml.decisions.items.factor_index import GRAPH_FOLDER, FactorIndex
from ml.decisions.ranker.blend import RankingBlend
from ml.decisions.ranker.ranked_days import DayJudge
from ml.decisions.ranker.training import TrainedBlend, first_example_at, train_blend
from ml.events.contract import TIMESTAMP
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.home import Home
from ml.recommenders.base import Recommender
from ml.recommenders.factors import FactorRecommender
from ml.segmentation.consent import CONSENT, mask_consenting
from ml.settings.decisions import BlendSettings

TRENDING_ITEMS = 500
SCOPED_ITEMS = 100
USER_SCOPES = {"country": "country", "device": "device_type", "segment": "segment"}
LATELY_DAYS = 7
SITE_PRICE = "site_price"
BASE_PEOPLE = 20.0
"""People that the popularity of all time counts as, beside those of late."""


def publication(
    *,
    users: pa.Table,
    items: pa.Table,
    interactions: pa.Table,
    segments: pa.Table | None,
    recommender: Recommender | None,
    model_version: str | None,
    files: Mapping[str, Path],
    details: Mapping[str, Any],
) -> Publication:
    """Collect what the service needs of the marts and of the champion.

    Args:
        users: The mart `users`.
        items: The mart `items`, with `trend_score` and `popularity_all`; `site_price` is published as the price.
        interactions: The mart `interactions`: user_id, item_id, last_at, is_negative, dislikes.
        segments: `user_id` and `name` of the segment; None where there are no segments.
        recommender: The champion; without one, users get trending items. Its factors are published where it has
            some, and the model itself where they do not say all of its ranking.
        model_version: Version of the champion in the registry; None without a champion.
        files: Further files or folders of the bundle.
        details: Further entries of the manifest.
    """
    items = _items(items)
    if segments is not None:
        users = _with_segments(users, segments)
    if recommender is not None:
        users = _with_trained_until(users, interactions, recommender)
    users = _without_unconsented_facts(users)
    last = pc.max(pc.cast(interactions["last_at"], TIMESTAMP)).as_py() if len(interactions) else None
    # An item that was only shown was neither opened nor rejected: it may be shown again, as caps allow.
    reacted = pc.or_(pc.invert(interactions["is_negative"]), pc.greater(interactions["dislikes"], 0))
    user_factors = item_factors = fold_in = None
    if isinstance(recommender, FactorRecommender):
        user_factors = _rows_of(recommender.user_factors_, recommender.user_ids_, users["user_id"])
        item_factors = _rows_of(recommender.item_factors_, recommender.item_ids_, items["item_id"])
        fold_in = recommender.fold_in_rule()
    return Publication(
        model_version=model_version,
        as_of=last or dt.datetime.now(dt.UTC),
        items=items,
        users=users,
        trending=trending(users, items, interactions),
        interactions=interactions.filter(reacted),
        user_factors=user_factors,
        item_factors=item_factors,
        fold_in=fold_in,
        model=recommender if recommender is not None and recommender.serving_form != "factors" else None,
        files=files,
        details=details,
    )


def learn_blend(
    home: Home,
    prepared: Publication,
    settings: BlendSettings,
    counted_openings: int = ActivityLimits.counted_openings,
    judge: DayJudge | None = None,
) -> TrainedBlend:
    """Learn the blend from the event log and what is to be published.

    Args:
        home: The home whose event log is read.
        prepared: What is to be published, without the blend.
        settings: Settings of the training.
        counted_openings: Openings of an item by one person that count for its popularity.
        judge: Also judges the ranker of another bundle, by the openings that it did not know.
    """
    quarantine = Quarantine(home)
    changes = read_newest_changes(EventLog(home), settings.train_events, quarantine, "publishing")
    return train_blend(
        changes,
        BundleIndex(build_bundle(_publication_before(prepared, first_example_at(changes)))),
        questions=settings.train_questions,
        minimum_questions=settings.minimum_questions,
        seed=settings.seed,
        quarantine=quarantine,
        counted_openings=counted_openings,
        judge=judge,
    )


def publish(
    home: Home,
    prepared: Publication,
    blend: RankingBlend,
    workspace: Path,
    approximate_above: int,
    *,
    is_canary: bool = False,
) -> Path:
    """Write the bundle and make it current, or the canary.

    Args:
        home: The home whose bundle is written.
        prepared: What is to be published, without the blend.
        blend: The blend.
        workspace: Folder that the blend is written to first; it must not exist.
        approximate_above: Number of items above which the graph of the approximate search is published too, so
            that the service need not build it when it starts.
        is_canary: Whether the bundle is to be tried beside the current one.

    Returns:
        The bundle's folder.
    """
    blend.save(workspace)
    files = {**prepared.files, "blend": workspace}
    if prepared.item_factors is not None and len(prepared.item_factors) > approximate_above:
        files[GRAPH_FOLDER] = workspace.with_name(GRAPH_FOLDER)
        FactorIndex(prepared.item_factors, approximate_above).save(files[GRAPH_FOLDER])
    whole = replace(
        prepared,
        files=files,
        details={**prepared.details, "blend": blend.figures},
    )
    return write_bundle(home.published, whole, is_canary=is_canary)


def _publication_before(prepared: Publication, at: float | None) -> Publication:
    """Replace the trending items by those of the time before the first training example, in Unix seconds."""
    if at is None or "last_at" not in prepared.interactions.column_names:
        return prepared
    moment = pa.scalar(dt.datetime.fromtimestamp(at, dt.UTC), TIMESTAMP)
    earlier = prepared.interactions.filter(pc.less(pc.cast(prepared.interactions["last_at"], TIMESTAMP), moment))
    return replace(prepared, trending=trending(prepared.users, prepared.items, earlier))


def trending(users: pa.Table, items: pa.Table, interactions: pa.Table) -> pa.Table:
    """Rank the best items by scope: `all`, `popular`, and each country, device and segment.

    The scopes of users count distinct users in the last week of the data, beyond the first one, since nobody makes
    an item popular alone. Few users are drawn towards the popularity of all time, and so is the trend.

    Returns:
        TRENDING_SCHEMA.
    """
    parts = []
    base = _base_shares(items)
    if "trend_score" in items.column_names:
        trend = np.nan_to_num(np.asarray(pc.cast(items["trend_score"], pa.float64()), dtype=np.float64))
        if base is not None:
            people = _count_people(items["item_id"], interactions)
            trend = np.where(people > 1, trend, 0.0) + BASE_PEOPLE * base
        parts.append(_scope(items["item_id"], pa.chunked_array([pa.array(trend)]), "all"))
    if "popularity_all" in items.column_names:
        parts.append(_scope(items["item_id"], items["popularity_all"], "popular"))
    if len(interactions):
        lately = pc.max(interactions["last_at"]).as_py() - dt.timedelta(days=LATELY_DAYS)
        recent = interactions.filter(pc.greater_equal(interactions["last_at"], lately))
        for kind, column in USER_SCOPES.items():
            if column in users.column_names:
                parts += _user_scopes(kind, users.select(["user_id", column]), recent, items["item_id"], base)
    return pa.concat_tables(parts) if parts else TRENDING_SCHEMA.empty_table()


def _base_shares(items: pa.Table) -> F64 | None:
    """Return the share of each item in the popularity of all time, float64 (n_items,); None if it is unknown."""
    if "popularity_all" not in items.column_names:
        return None
    popularity = np.nan_to_num(np.asarray(pc.cast(items["popularity_all"], pa.float64()), dtype=np.float64))
    return popularity / popularity.sum() if popularity.sum() > 0 else None


def _count_people(item_ids: pa.ChunkedArray, interactions: pa.Table) -> I64:
    """Count the people who had to do with each item, int64 (n_items,)."""
    rows = pc.index_in(interactions["item_id"], value_set=item_ids.combine_chunks())
    item_rows = np.asarray(pc.drop_null(rows))
    return np.bincount(item_rows, minlength=len(item_ids))


def _user_scopes(
    kind: str, users: pa.Table, recent: pa.Table, item_ids: pa.ChunkedArray, base: F64 | None
) -> list[pa.Table]:
    """Rank the items of each value of the column by the number of its users, one table per value."""
    place = pc.index_in(recent["user_id"], value_set=users["user_id"].combine_chunks())
    value = users.column(1).take(place)
    pairs = pa.table({"value": value, "item_id": recent["item_id"]}).filter(pc.is_valid(value))
    counts = pairs.group_by(["value", "item_id"]).aggregate([([], "count_all")])
    scores = np.asarray(counts["count_all"], dtype=np.float64)
    if base is not None:
        rows = np.asarray(pc.fill_null(pc.index_in(counts["item_id"], value_set=item_ids.combine_chunks()), -1))
        scores = scores - 1 + BASE_PEOPLE * np.where(rows >= 0, base[rows], 0.0)
    counts = counts.append_column("score", pa.array(scores))
    parts = []
    for name in pc.unique(counts["value"]).to_pylist():
        group = counts.filter(pc.equal(counts["value"], name))
        parts.append(_scope(group["item_id"], group["score"], f"{kind}:{name}", SCOPED_ITEMS))
    return parts


def _scope(items: pa.ChunkedArray, scores: pa.ChunkedArray, scope: str, limit: int = TRENDING_ITEMS) -> pa.Table:
    table = pa.table({"item_id": items, "score": pc.cast(scores, pa.float64())})
    table = table.filter(pc.greater(table["score"], 0.0))
    table = table.sort_by([("score", "descending"), ("item_id", "ascending")]).slice(0, limit)
    return table.add_column(0, "scope", pa.array([scope] * len(table), pa.string())).cast(TRENDING_SCHEMA)


def _items(items: pa.Table) -> pa.Table:
    """Cast the columns of a bundle; its prices are those in the currency of the site, which can be compared."""
    if SITE_PRICE in items.column_names:
        kept = items.drop_columns([name for name in ("price",) if name in items.column_names])
        items = kept.rename_columns(["price" if name == SITE_PRICE else name for name in kept.column_names])
    for name, kind in ITEM_COLUMNS.items():
        if name in items.column_names:
            place = items.column_names.index(name)
            items = items.set_column(place, name, pc.cast(items[name], kind))
    return items


def _with_segments(users: pa.Table, segments: pa.Table) -> pa.Table:
    place = pc.index_in(users["user_id"], value_set=segments["user_id"].combine_chunks())
    users = users.drop_columns([name for name in ("segment", "persona") if name in users.column_names])
    for column, name in (("name", "segment"), ("persona", "persona")):
        if column in segments.column_names:
            users = users.append_column(name, pc.cast(segments[column].combine_chunks().take(place), pa.string()))
    return users


def _without_unconsented_facts(users: pa.Table) -> pa.Table:
    """Leave of people who do not consent to personalization only what FACTS_WITHOUT_CONSENT names."""
    if CONSENT not in users.column_names:
        return users
    consents = pa.array(mask_consenting(users))
    columns = [
        column if name in FACTS_WITHOUT_CONSENT else pc.if_else(consents, column, pa.scalar(None, column.type))
        for name, column in zip(users.column_names, users.columns, strict=True)
    ]
    return pa.table(columns, names=users.column_names)


def _with_trained_until(users: pa.Table, interactions: pa.Table, recommender: Recommender) -> pa.Table:
    """Add the time of each user's newest interaction that the champion was trained on."""
    user_rows = recommender.user_ids_.rows(interactions["user_id"])
    item_rows = recommender.item_ids_.rows(interactions["item_id"])
    is_known = (user_rows >= 0) & (item_rows >= 0)
    is_trained = np.zeros(len(interactions), dtype=bool)
    if is_known.any():
        pairs = recommender.seen_[user_rows[is_known], item_rows[is_known]]
        is_trained[is_known] = np.asarray(pairs).ravel() != 0
    last_at = pc.cast(interactions["last_at"], TIMESTAMP)
    trained = pa.table({"user_id": interactions["user_id"], "at": last_at}).filter(pa.array(is_trained))
    newest = trained.group_by("user_id").aggregate([("at", "max")])
    place = pc.index_in(users["user_id"], value_set=newest["user_id"].combine_chunks())
    return users.append_column(TRAINED_UNTIL, newest["at_max"].combine_chunks().take(place))


def _rows_of(factors: F32, ids: Ids, published_ids: pa.ChunkedArray) -> F32:
    """Reorder factors to match `published_ids`; an id that the model does not know gets a row of NaN."""
    rows: I32 = ids.rows(published_ids)
    published = np.full((len(rows), factors.shape[1]), np.nan, dtype=np.float32)
    published[rows >= 0] = factors[rows[rows >= 0]]
    return published
