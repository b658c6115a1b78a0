"""Metrics of recommendation lists by Spark: those of `ml.evaluation.ranking_metrics`, from tables of any size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

HEAD_SHARE = 0.8  # of all interactions: the items that have them are the head, the others the long tail
PER_USER = ("ndcg", "map", "recall", "precision", "hit", "mrr")


def measure_on_spark(
    recommended: DataFrame, test: DataFrame, train: DataFrame, k: int, catalogue: DataFrame
) -> dict[str, float]:
    """Measure recommendations for the users of the test.

    Args:
        recommended: user_id, item_id, rank; users outside the test and what follows the k-th item are left out.
        test: user_id, item_id, each pair once: what the users then liked.
        train: user_id, item_id, each pair once; a recommended pair of it wastes a place.
        k: Length of the lists.
        catalogue: item_id of what could be recommended, and its `place`, which orders items of equal popularity.

    Returns:
        Means over the users of the test, those without recommendations included, and the metrics of all lists
        together, by the names of `RankingMetrics.metrics`; NaN where nothing was recommended.
    """
    from pyspark.sql import functions as sql  # noqa: PLC0415  (Spark is an extra)

    popularity = _popularity(train, catalogue, k).persist()
    lists = _judged(recommended, test, train, popularity, k).persist()
    means = (
        _user_metrics(lists, test, k)
        .agg(*[sql.avg(name).alias(name) for name in (*PER_USER, "serendipity")])
        .first()
    )
    n_users = train.select("user_id").distinct().count()
    novelty = -sql.log2((sql.col("interactions") + 1) / (n_users + 1))
    over_all = lists.agg(
        sql.count_distinct("item_id").alias("items"),
        sql.avg(novelty).alias("novelty"),
        sql.avg((~sql.col("is_head")).cast("double")).alias("long_tail"),
    ).first()
    n_catalogue = catalogue.count()
    figures = {
        **{name: means[name] for name in (*PER_USER, "serendipity")},
        "coverage": over_all["items"] / n_catalogue if n_catalogue else None,
        "novelty": over_all["novelty"],
        "long_tail": over_all["long_tail"],
        "gini": _gini(lists, catalogue, n_catalogue),
    }
    lists.unpersist()
    popularity.unpersist()
    return {name: math.nan if value is None else float(value) for name, value in figures.items()}


def _popularity(train: DataFrame, catalogue: DataFrame, k: int) -> DataFrame:
    """item_id, interactions, is_head, is_popular of every item of the catalogue and of the training."""
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as sql  # noqa: PLC0415

    counts = train.groupBy("item_id").agg(sql.count("*").alias("interactions"))
    items = catalogue.join(counts, "item_id", "full").fillna(0, ["interactions"])
    # One partition: of items, which are few beside the users.
    in_order = Window.orderBy(sql.desc("interactions"), sql.asc_nulls_last("place"), "item_id")
    before = sql.sum("interactions").over(in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    total = sql.sum("interactions").over(Window.partitionBy())
    return items.select(
        "item_id",
        "interactions",
        (before - sql.col("interactions") < HEAD_SHARE * total).alias("is_head"),
        (sql.row_number().over(in_order) <= k).alias("is_popular"),
    )


def _judged(recommended: DataFrame, test: DataFrame, train: DataFrame, popularity: DataFrame, k: int) -> DataFrame:
    """One row a place: user_id, item_id, place (1 is best), is_hit, and the popularity of the item."""
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as sql  # noqa: PLC0415

    of_user, of_pair = Window.partitionBy("user_id").orderBy("rank"), Window.partitionBy("user_id", "item_id")
    places = (
        recommended.join(test.select("user_id").distinct(), "user_id", "left_semi")
        .withColumn("place", sql.row_number().over(of_user))
        .where(sql.col("place") <= k)
        .withColumn("repetition", sql.row_number().over(of_pair.orderBy("place")))
    )
    relevant = test.select("user_id", "item_id", sql.lit(True).alias("is_relevant"))
    had = train.select("user_id", "item_id", sql.lit(True).alias("is_had"))
    is_hit = sql.col("is_relevant").isNotNull() & sql.col("is_had").isNull() & (sql.col("repetition") == 1)
    return (
        places.join(relevant, ["user_id", "item_id"], "left")
        .join(had, ["user_id", "item_id"], "left")
        .join(popularity, "item_id", "left")
        .select(
            "user_id",
            "item_id",
            "place",
            is_hit.alias("is_hit"),
            sql.coalesce("interactions", sql.lit(0)).alias("interactions"),
            sql.coalesce("is_head", sql.lit(False)).alias("is_head"),
            sql.coalesce("is_popular", sql.lit(False)).alias("is_popular"),
        )
    )


def _user_metrics(lists: DataFrame, test: DataFrame, k: int) -> DataFrame:
    """One row a user of the test with the metrics of PER_USER and `serendipity`."""
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as sql  # noqa: PLC0415

    so_far = Window.partitionBy("user_id").orderBy("place")
    hit = sql.col("is_hit").cast("double")
    sums = (
        lists.withColumn("hits_so_far", sql.sum(hit).over(so_far))
        .groupBy("user_id")
        .agg(
            sql.sum(hit).alias("hits"),
            sql.sum(sql.when(sql.col("is_popular"), 0.0).otherwise(hit)).alias("surprises"),
            sql.sum(hit / sql.log2(sql.col("place") + 1)).alias("gain"),
            sql.sum(hit * sql.col("hits_so_far") / sql.col("place")).alias("precisions"),
            sql.min(sql.when(sql.col("is_hit"), sql.col("place"))).alias("first"),
        )
    )
    relevant = test.groupBy("user_id").agg(sql.count("*").alias("relevant"))
    every = relevant.join(sums, "user_id", "left").fillna(0.0, ["hits", "surprises", "gain", "precisions"])
    possible = sql.least(sql.col("relevant"), sql.lit(k))
    return every.select(
        "user_id",
        (sql.col("gain") / _ideal_gain(possible, k)).alias("ndcg"),
        (sql.col("precisions") / possible).alias("map"),
        (sql.col("hits") / sql.col("relevant")).alias("recall"),
        (sql.col("hits") / k).alias("precision"),
        (sql.col("hits") > 0).cast("double").alias("hit"),
        sql.coalesce(1 / sql.col("first"), sql.lit(0.0)).alias("mrr"),
        (sql.col("surprises") / k).alias("serendipity"),
    )


def _ideal_gain(n_relevant: Column, k: int) -> Column:
    """Discounted gain of a list that begins with so many relevant items, at most k."""
    from pyspark.sql import functions as sql  # noqa: PLC0415

    gains = [sum(1 / math.log2(place + 1) for place in range(1, length + 1)) for length in range(1, k + 1)]
    return sql.element_at(sql.array(*[sql.lit(gain) for gain in gains]), n_relevant.cast("int"))


def _gini(lists: DataFrame, catalogue: DataFrame, n_catalogue: int) -> float | None:
    """Inequality of exposure over the catalogue, from how many items are shown how often."""
    from pyspark.sql import functions as sql  # noqa: PLC0415

    shown = lists.groupBy("item_id").agg(sql.count("*").alias("exposure"))
    exposures = catalogue.join(shown, "item_id").groupBy("exposure").agg(sql.count("*").alias("items"))
    rows = sorted((row["exposure"], row["items"]) for row in exposures.collect())
    total = sum(exposure * items for exposure, items in rows)
    if not total:
        return None
    place, weighed = n_catalogue - sum(items for _, items in rows), 0
    for exposure, items in rows:  # items of equal exposure stand side by side in the order
        weighed += exposure * (items * place + items * (items + 1) // 2)
        place += items
    return 2 * weighed / (n_catalogue * total) - (n_catalogue + 1) / n_catalogue
