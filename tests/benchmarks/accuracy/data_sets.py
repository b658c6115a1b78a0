"""The data sets on which `auto` is compared with its rivals: public ones beside the checkout, and drawn ones.

Each is training data, the interactions that are held back from it, and the split by which models are chosen on
the training data alone. The drawn ones are of kinds that no public set here has: play counts, hours, many tags.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.evaluation.splits import split
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import Ranked
from ml.settings import load_settings
from ml.sources.simulator import Site

PUBLIC = Path(__file__).resolve().parents[4] / "shared" / "data"
FILM_SEEDS = (42, 43, 44, 45, 46)
TAGS_EACH = 30
FIRST_DAY = dt.date(2026, 3, 1)
STRENGTHS = {"page_view": 1.0, "like": 3.0, "bookmark": 3.0, "share": 3.0, "add_to_cart": 4.0, "purchase": 6.0}


@dataclass(frozen=True)
class DataSet:
    """Training data and what is held back.

    Attributes:
        name: name in the figures.
        train: what models are chosen on and fitted to.
        test: what the people of the test did; every pair of positive weight is relevant.
        validation: split of the training data by which parameters are chosen.
        candidates: items that are ranked; None ranks all.
    """

    name: str
    train: TrainingData
    test: Interactions
    validation: str
    candidates: pa.Array | None = None

    @property
    def ranked(self) -> Ranked | None:
        """What the validation ranks, for it to ask what the test asks."""
        return None if self.candidates is None else "known"


def data_sets(size: float) -> Iterator[DataSet]:
    """All sets; smaller sizes take fewer seeds of the films and draw fewer people."""
    for seed in FILM_SEEDS[: max(1, round(len(FILM_SEEDS) * size))]:
        yield films(seed)
    yield shop()
    yield questions()
    yield store()
    yield simulated(size)
    yield play_counts(size)
    yield hours(size)
    yield many_tags(size)


def films(seed: int) -> DataSet:
    """MovieLens 100k, a random quarter of each person's films held back, by the rule of the published tables."""
    folder = PUBLIC / "ml-100k"
    ratings = pd.read_csv(folder / "u.data", sep="\t", names=["user_id", "item_id", "rating", "timestamp"])
    shuffled = np.random.default_rng(seed).random(len(ratings))
    place = pd.Series(shuffled).groupby(ratings["user_id"]).rank(pct=True).to_numpy()
    ratings = ratings.astype({"user_id": str, "item_id": str})
    films = pd.read_csv(folder / "u.item", sep="|", encoding="latin-1", header=None, dtype={0: str})
    people = pd.read_csv(folder / "u.user", sep="|", header=None, dtype=str)
    genres = films.iloc[:, 5:].to_numpy() == 1
    features = [
        [f"genre:{genre}" for genre in np.flatnonzero(row)] + ([f"year:{released[-4:]}"] if released else [])
        for row, released in zip(genres, films[2].fillna(""), strict=True)
    ]
    items = pa.table({"item_id": films[0].tolist(), "features": features})
    traits = [
        [f"age:{int(row[1]) // 10}", f"gender:{row[2]}", f"job:{row[3]}"] for row in people.itertuples(index=False)
    ]
    users = pa.table({"user_id": people[0].tolist(), "features": traits})
    train = _aligned(ratings[place <= 0.75], items, users)
    return DataSet(f"films_{seed}", train, _interactions(ratings[place > 0.75]), "random")


def shop() -> DataSet:
    """Online Retail: what customers bought for the first time in the newest fifth of the purchases."""
    lines = pd.read_parquet(PUBLIC / "online_retail/online_retail.parquet")
    lines = lines[lines["CustomerID"].notna() & (lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)]
    table = pd.DataFrame(
        {
            "user_id": lines["CustomerID"].astype(int).astype(str),
            "item_id": lines["StockCode"].astype(str),
            "weight": 1.0,
            "timestamp": lines["InvoiceDate"].astype("datetime64[s]").astype("int64"),
        }
    )
    return _later("shop", table, 0.2)


def questions() -> DataSet:
    """Cross Validated: answers of the newest tenth, to questions that others had answered before."""
    found = np.load(PUBLIC / "crossvalidated/crossvalidated.npz")
    answers = pd.DataFrame(
        {
            "user_id": found["interactions_row"].astype(str),
            "item_id": found["interactions_col"].astype(str),
            "timestamp": found["interactions_data"].astype("int64"),
        }
    )
    tags = pd.DataFrame(
        {"item_id": found["features_row"].astype(str), "tag": found["labels"][found["features_col"]]}
    )
    items = (
        tags.groupby("item_id")["tag"]
        .agg(lambda names: [f"tag:{name}" for name in names])
        .reset_index(name="features")
    )
    return _later("questions", answers, 0.1, pa.Table.from_pandas(items, preserve_index=False), only_known=True)


def store() -> DataSet:
    """Google's merchandise store: the last product of each visitor who looked at two or more."""
    rows = pd.read_csv(PUBLIC / "ga_merch_store/all_sessions.csv.gz", dtype=str)
    table = pd.DataFrame(
        {
            "user_id": rows["fullVisitorId"],
            "item_id": rows["productSKU"],
            "timestamp": rows["visitId"].astype("int64"),
        }
    )
    category = rows[["productSKU", "v2ProductCategory"]].drop_duplicates("productSKU")
    items = pa.table(
        {
            "item_id": category["productSKU"].tolist(),
            "features": [[part for part in name.split("/") if part] for name in category["v2ProductCategory"]],
        }
    )
    parts = split(_interactions(table), "leave-last-out")
    train = TrainingData.align(parts.train, None, FeatureMatrix.from_table(items, "item_id"))
    return DataSet("store", train, parts.test.compact(), "leave-last-out")


def simulated(size: float) -> DataSet:
    """The simulator's site: what people opened and did in the newest fifth of a month."""
    settings = load_settings().simulator.model_copy(update={"users": max(300, int(1_500 * size)), "days": 30})
    site = Site(settings, 7, FIRST_DAY)
    columns = ["event_type", "user_id", "anonymous_id", "item_id", "occurred_at"]
    events = pa.concat_tables([table.select(columns) for table in site.events(0, settings.days)]).to_pandas()
    events = events[
        events["event_type"].isin(STRENGTHS) & events["item_id"].notna() & events["occurred_at"].notna()
    ]
    table = pd.DataFrame(
        {
            "user_id": events["user_id"].fillna(events["anonymous_id"]),
            "item_id": events["item_id"],
            "weight": events["event_type"].map(STRENGTHS),
            "timestamp": events["occurred_at"].astype("datetime64[s, UTC]").astype("int64"),
        }
    ).dropna()
    rows = site.catalogue(0, settings.days).to_pylist()
    features = [[f"category:{row['category']}", *(f"tag:{tag}" for tag in row["tags"] or [])] for row in rows]
    return _later(
        "simulator", table, 0.2, pa.table({"item_id": [row["item_id"] for row in rows], "features": features})
    )


def play_counts(size: float) -> DataSet:
    """People and artists: how often each was played, a few favourites far more often than the rest."""
    return _drawn(
        "play_counts",
        _world(int(1_500 * size), 4_000, 48, 24, 11),
        lambda taste, random: np.exp(random.normal(3.5 + 1.2 * taste, 1.2)),
    )


def hours(size: float) -> DataSet:
    """People and games: hours played, most of them few, of few games a person."""
    return _drawn(
        "hours",
        _world(int(3_500 * size), 2_000, 16, 10, 12),
        lambda taste, random: 0.1 + np.round(random.gamma(0.4, np.exp(2.0 + taste)), 1),
    )


def many_tags(size: float) -> DataSet:
    """People and books with thirty tags each, of which the taste is made; few books a person."""
    return _drawn("many_tags", _world(int(2_000 * size), 3_000, 14, 16, 13, n_tags=600), None)


@dataclass(frozen=True)
class _World:
    """Items of each user, how well they suit them in standard deviations, and the tags of items."""

    rows: np.ndarray
    columns: np.ndarray
    taste: np.ndarray
    tags: list[list[str]] | None
    random: np.random.Generator


def _world(n_users: int, n_items: int, mean_items: int, n_factors: int, seed: int, n_tags: int = 0) -> _World:
    """People who take items by popularity (a power law) and by taste (sparse positive factors)."""
    random = np.random.default_rng(seed)
    n_users = max(n_users, 200)
    people = random.gamma(0.15, 1.0, (n_users, n_factors))
    things = random.gamma(0.1, 1.0, (n_items, n_factors))
    tags = None
    if n_tags:
        topics = random.gamma(0.1, 1.0, (n_tags, n_factors))
        chances = _shares(n_tags, 0.5) * (0.02 + things @ topics.T)
        tags = [[f"tag:{tag}" for tag in own[:TAGS_EACH]] for own in _drawn_order(chances, random)]
    popularity = _shares(n_items, 0.6)[random.permutation(n_items)]
    suits = people / people.sum(axis=1, keepdims=True) @ (things / things.mean(axis=0)).T
    chances = popularity * (0.05 + suits) ** 2
    counts = np.minimum(5 + random.geometric(1 / mean_items, n_users), n_items // 4)
    order = _drawn_order(chances, random)
    columns = np.concatenate([order[user, :count] for user, count in enumerate(counts)])
    rows = np.repeat(np.arange(n_users), counts)
    taste = np.log(0.1 + suits[rows, columns])
    return _World(rows, columns, (taste - taste.mean()) / taste.std(), tags, random)


def _drawn_order(chances: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Places in the order in which they are drawn without replacement: those with the shortest waiting times."""
    return np.argsort(random.exponential(size=chances.shape) / chances, axis=1)


def _shares(n: int, power: float) -> np.ndarray:
    weights = np.arange(1, n + 1) ** -power
    return weights / weights.sum()


def _drawn(
    name: str, world: _World, weigh: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None
) -> DataSet:
    table = pd.DataFrame({"user_id": world.rows.astype(str), "item_id": world.columns.astype(str)})
    if weigh is not None:
        table["weight"] = weigh(world.taste, world.random)
    items = None
    if world.tags is not None:
        items = pa.table({"item_id": [str(n) for n in range(len(world.tags))], "features": world.tags})
    parts = split(_interactions(table), "random", seed=1, share=0.25)
    features = None if items is None else FeatureMatrix.from_table(items, "item_id")
    return DataSet(name, TrainingData.align(parts.train, None, features), parts.test.compact(), "random")


def _later(
    name: str, table: pd.DataFrame, share: float, items: pa.Table | None = None, *, only_known: bool = False
) -> DataSet:
    """The newest share of the rows, of people who occur before it, less what they had taken before."""
    cut = np.quantile(table["timestamp"], 1 - share, method="higher")
    past, future = table[table["timestamp"] < cut], table[table["timestamp"] >= cut]
    train = _aligned(past, items, None)
    future = future[future["user_id"].isin(past["user_id"])]
    if only_known:
        future = future[future["item_id"].isin(past["item_id"])]
    had = pd.MultiIndex.from_frame(past[["user_id", "item_id"]])
    future = future[~pd.MultiIndex.from_frame(future[["user_id", "item_id"]]).isin(had)]
    candidates = pa.array(sorted(set(past["item_id"])), pa.string()) if only_known else None
    return DataSet(name, train, _interactions(future), "time", candidates)


def _aligned(table: pd.DataFrame, items: pa.Table | None, users: pa.Table | None) -> TrainingData:
    return TrainingData.align(
        _interactions(table),
        None if users is None else FeatureMatrix.from_table(users, "user_id"),
        None if items is None else FeatureMatrix.from_table(items, "item_id"),
    )


def _interactions(table: pd.DataFrame) -> Interactions:
    return Interactions.from_table(pa.Table.from_pandas(table, preserve_index=False))
