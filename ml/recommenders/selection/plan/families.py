"""Families of models: where the search of each begins on data of a shape, and along which axes it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.plan.recipes import SingleRecipe
from ml.recommenders.selection.plan.shape import DataShape

DENSE_MOST_USERS = 30_000  # neighbourhoods of users compare everybody with everybody
ORDER_GAIN = 1.2  # from which the order may help: 1.5 on clicks on news, 4.6 on films, 1 where times are random
NETWORK_PAIRS = 20_000  # fewer are learned by heart: a blend with a network was worse than popularity
# Few passes, since a network takes more work than all other families; `tune` and `--model` give it more.
NETWORK = {"n_factors": 32, "epochs": 8, "patience": 1, "batch": 64, "negatives": 300}
SQUARE_ITEMS = 5_000  # of EASE on large data, where one fit with more takes minutes
LARGE_PAIRS = 500_000


@dataclass(frozen=True)
class Steps:
    """A number that is multiplied or divided by a factor as long as that is better."""

    name: str
    factor: float
    low: float
    high: float

    def neighbours(self, value: Any) -> list[list[Any]]:
        """The values upwards and those downwards, the nearest first."""
        ways = []
        for factor in (self.factor, 1 / self.factor):
            way, other = [], value * factor
            while self.low <= other <= self.high:
                way.append(round(other) if isinstance(value, int) else float(f"{other:.3g}"))
                other *= factor
            ways.append(way)
        return ways


@dataclass(frozen=True)
class Options:
    """A parameter of a few values, each of which is tried alone."""

    name: str
    values: Sequence[Any]

    def neighbours(self, value: Any) -> list[list[Any]]:
        """The other values."""
        return [[other] for other in self.values if other != value]


Axis = Steps | Options

ITEM_NEIGHBOURS = SingleRecipe(
    "item_neighbours", {"neighbours": 1_000, "item_power": 0.4, "window": None}, {"shrinkage": 0.3}
)
SCALINGS = Options("weight_scaling", ("bm25", "binary", "log", "linear"))


@dataclass(frozen=True)
class Family:
    """Models of one kind.

    Attributes:
        name: as people call it.
        starts: what is tried first, in this order.
        axes: what is varied from the best of these on, the most telling first.
    """

    name: str
    starts: Sequence[SingleRecipe]
    axes: Sequence[Axis] = ()


def warm_families(shape: DataShape, *, is_later: bool = True) -> list[Family]:
    """What may rank items that people have taken before.

    Args:
        shape: of the data.
        is_later: whether what judges happened after the rest. Networks learn what comes next, which a random share
            of a history is not: on such shares of films they had less than half of the NDCG@10 of EASE.
    """
    families = [_popular(shape), _ease(shape), _als(), _item_neighbours(shape)]
    if shape.n_users <= DENSE_MOST_USERS:
        families.append(_user_neighbours())
    if shape.order_gain >= ORDER_GAIN:
        families.append(_session_neighbours())
        if is_later and shape.n_pairs >= NETWORK_PAIRS and find_spec("torch") is not None:
            families += [_attention(), _recurrent()]
    families += [_svd(), _autoencoder()]
    if shape.item_features:
        families += [_content(shape), _hybrid()]
    if shape.user_features and shape.n_users <= DENSE_MOST_USERS:
        families.append(Family("popularity by group", [SingleRecipe("segment_popularity")]))
    return [_weighted(family, shape) for family in families]


def _weighted(family: Family, shape: DataShape) -> Family:
    """The family with the scaling of the weights as one more axis, where they differ and the model takes them."""
    start = family.starts[0]
    if not shape.has_weights or "weight_scaling" not in make_recommender(start.model, **start.params).params():
        return family
    starts = [start.with_value("weight_scaling", SCALINGS.values[0]) for start in family.starts]
    return Family(family.name, starts, (*family.axes[:1], SCALINGS, *family.axes[1:]))


def cold_families(shape: DataShape) -> list[Family]:
    """What may rank items that nobody has taken yet, by their features."""
    ages: tuple[float | None, ...] = (None, 365.0, 120.0, 30.0) if shape.has_times else (None,)
    profiles = SingleRecipe("content_tfidf", {"half_life_days": ages[1 % len(ages)]})
    vectors = SingleRecipe("content_vectors", {"n_factors": 48, "half_life_days": None})
    axes = (Steps("n_factors", 1.6, 12, 200), Options("half_life_days", ages))
    families = [
        Family("content profiles", [profiles], (Options("half_life_days", ages),)),
        _content(shape, is_summed=False),
        # The sum puts items of many fitting tags further up, the mean is right more often: a blend takes both.
        _content(shape, is_summed=True),
        Family("content vectors", [vectors], axes),
        _content_regression(),
        Family(
            "hybrid factors",
            [SingleRecipe("lightfm_warp", {"n_factors": 40, "epochs": 8, "item_identity_from": None})],
            (Steps("epochs", 1.6, 3, 60), Steps("n_factors", 1.6, 10, 160)),
        ),
    ]
    return [_weighted(family, shape) for family in families]


def _popular(shape: DataShape) -> Family:
    starts = [SingleRecipe("popularity")]
    if not shape.has_times:
        return Family("popularity", starts)
    starts += [SingleRecipe("trending", {"half_life_days": days}) for days in (30.0, 2.0, 0.1)]
    return Family("popularity", starts, (Steps("half_life_days", 2.5, 0.02, 365.0),))


def _ease(shape: DataShape) -> Family:
    most_items = SQUARE_ITEMS if shape.n_pairs > LARGE_PAIRS else 8_000
    axes: list[Axis] = [Steps("regularization", 2.0, 0.05, 400.0), Options("row_power", (0.0, 0.25, 0.5))]
    scaled = {"regularization": 4.0}
    if shape.has_times:
        axes.append(Options("window", (None, 10)))
    if shape.item_features:
        scaled["feature_weight"] = 0.0
        axes.append(Options("feature_weight", (0.0, 0.05, 0.2, 0.8)))
    axes.append(Options("dropout", (0.0, 0.2, 0.4)))
    params = {"most_items": most_items, "row_power": 0.0, "window": None, "dropout": 0.0}
    start = SingleRecipe("ease", params, scaled)
    starts = [start, start.with_value("feature_weight", 0.2)] if shape.item_features else [start]
    return Family("EASE", starts, axes)


def _als() -> Family:
    start = SingleRecipe("als", {"n_factors": 32, "confidence": 6.0, "regularization": 1.0})
    # Where histories are long, weaker ones of both are far better; a climb from the first start ends too early.
    weak = SingleRecipe("als", {"n_factors": 32, "confidence": 1.5, "regularization": 0.25})
    axes = (
        Steps("regularization", 2.0, 0.02, 8.0),
        Steps("n_factors", 2.0, 8, 128),
        Steps("confidence", 2.0, 0.5, 60.0),
    )
    return Family("ALS", [start, weak], axes)


def _item_neighbours(shape: DataShape) -> Family:
    axes: list[Axis] = [Steps("shrinkage", 3.0, 0.003, 10.0), Options("item_power", (0.3, 0.4, 0.5, 0.6))]
    if shape.has_times:
        axes.insert(0, Options("window", (None, 10)))
    return Family("neighbouring items", [ITEM_NEIGHBOURS], axes)


def _user_neighbours() -> Family:
    start = SingleRecipe("user_neighbours", {"neighbours": 200, "shrinkage": 5.0})
    axes = (Steps("neighbours", 2.0, 25, 2_000), Steps("shrinkage", 3.0, 0.5, 150.0))
    return Family("neighbouring users", [start], axes)


def _session_neighbours() -> Family:
    start = SingleRecipe("session_neighbours", {"neighbours": 200, "rarity": 0.5, "distance": 0.5, "latest": 20})
    axes = (Options("rarity", (0.0, 0.5, 1.0)), Options("distance", (0.0, 0.5, 1.0)), Steps("latest", 2.0, 5, 80))
    return Family("neighbouring visits", [start], axes)


def _attention() -> Family:
    params = {**NETWORK, "length": 30}
    return Family("self-attention", [SingleRecipe("sasrec", params)], (Steps("n_factors", 2.0, 32, 128),))


def _recurrent() -> Family:
    params = {**NETWORK, "length": 20}
    return Family("recurrent units", [SingleRecipe("gru4rec", params)], (Steps("n_factors", 2.0, 32, 128),))


def _svd() -> Family:
    start = SingleRecipe("svd", {"n_factors": 24, "user_power": 0.5, "item_power": 0.25})
    axes = (
        Steps("n_factors", 1.6, 4, 200),
        Options("item_power", (0.0, 0.25, 0.5)),
        Options("user_power", (0.0, 0.5, 0.8)),
    )
    return Family("SVD", [start], axes)


def _autoencoder() -> Family:
    start = SingleRecipe("autoencoder", {"hidden": 200, "epochs": 30, "networks": 1})
    return Family("autoencoder", [start], (Steps("epochs", 1.5, 8, 80), Steps("hidden", 1.5, 50, 400)))


def _content(shape: DataShape, *, is_summed: bool | None = None) -> Family:
    """Affinity to the features of an item: the sum over them, the mean, or for None what is better."""
    params = {"smoothing": 50.0, "summed": bool(is_summed), "half_life_days": None}
    axes: list[Axis] = [Steps("smoothing", 4.0, 0.5, 1_000.0)]
    if is_summed is None:
        axes.append(Options("summed", (False, True)))
    if shape.has_times:
        axes.append(Options("half_life_days", (None, 365.0, 120.0, 30.0)))
    name = "summed content affinity" if is_summed else "content affinity"
    return Family(name, [SingleRecipe("content_affinity", params)], axes)


def _content_regression() -> Family:
    # On two windows of questions larger penalties are no better by the AUC and have fewer hits among the first
    # hundred: recall .0923 in place of .0987 with a user penalty of 90, .0657 with an item penalty of 30.
    start = SingleRecipe("content_regression", {"user_penalty": 30.0, "item_penalty": 1.0})
    return Family("content regression", [start], (Steps("user_penalty", 3.0, 1.0, 30.0),))


def _hybrid() -> Family:
    start = SingleRecipe("lightfm_warp", {"n_factors": 24, "epochs": 8, "item_identity_from": 1})
    axes = (
        Steps("epochs", 2.0, 3, 60),
        Options("item_identity_from", (1, 5, None)),
        Steps("n_factors", 2.0, 8, 128),
    )
    return Family("hybrid factors", [start], axes)
