"""Which parameters of which model are searched, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from ml.recommenders.selection.plan.shape import DataShape

OF_ITEM_FEATURES = ("feature_weight", "item_identity_from")  # parameters that change nothing without them
OF_TIMES = ("window", "distance")
NEVER = 0  # how `None` stands in a study, which orders numbers


@dataclass(frozen=True)
class Bounds:
    """Numbers between bounds, on a logarithmic scale if `log`; whole ones if both bounds are whole."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class Space:
    """Bounds and choices of each searched parameter; `fixed` holds parameters that differ from the defaults."""

    ranges: Mapping[str, Bounds]
    choices: Mapping[str, tuple[Any, ...]]
    fixed: Mapping[str, Any]

    def for_data(self, shape: DataShape) -> Space:
        """The space without parameters that say something about features or times that the data do not have."""
        idle = (*(() if shape.item_features else OF_ITEM_FEATURES), *(() if shape.has_times else OF_TIMES))
        return Space(
            {name: limits for name, limits in self.ranges.items() if name not in idle},
            {name: options for name, options in self.choices.items() if name not in idle},
            self.fixed,
        )

    def suggest(self, model: str, trial: optuna.Trial) -> dict[str, Any]:
        """Parameters for a trial; in the study they are named `model.parameter`."""
        params: dict[str, Any] = dict(self.fixed)
        for name, limits in self.ranges.items():
            whole = isinstance(limits.low, int) and isinstance(limits.high, int)
            ask = trial.suggest_int if whole else trial.suggest_float
            params[name] = ask(f"{model}.{name}", limits.low, limits.high, log=limits.log)
        for name, options in self.choices.items():
            chosen = trial.suggest_categorical(f"{model}.{name}", [NEVER if o is None else o for o in options])
            params[name] = None if chosen == NEVER and None in options else chosen
        return params

    def encoded(self, model: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Name the parameters as the study does; those that it cannot express are left out."""
        encoded = {
            f"{model}.{name}": params[name] for name, limits in self.ranges.items() if params[name] is not None
        }
        for name, options in self.choices.items():
            if params[name] in options:
                encoded[f"{model}.{name}"] = NEVER if params[name] is None else params[name]
        return encoded


def _hybrid(most_sampled: bool) -> Space:
    ranges = {"n_factors": Bounds(8, 128), "learning_rate": Bounds(0.005, 0.2)}
    return Space(
        {**ranges, "max_sampled": Bounds(3, 60)} if most_sampled else ranges,
        {
            "item_alpha": (0.0, 1e-6, 1e-5, 1e-4),
            "user_alpha": (0.0, 1e-6, 1e-5, 1e-4),
            "item_identity_from": (None, 1, 5),
        },
        {"epochs": 30},  # the most: the best epoch is what the trial ends with
    )


def _network(least_length: int, most_length: int) -> Space:
    return Space(
        {
            "n_factors": Bounds(16, 128),
            "length": Bounds(least_length, most_length),
            "learning_rate": Bounds(3e-4, 1e-2),
            "dropout": Bounds(0.1, 0.6, log=False),
        },
        {"layers": (1, 2)},
        {"heads": 2} if most_length > 50 else {},
    )


SPACES: dict[str, Space] = {
    "lightfm_warp": _hybrid(most_sampled=True),
    "lightfm_bpr": _hybrid(most_sampled=False),
    "lightfm_logistic": _hybrid(most_sampled=False),
    "als": Space(
        {
            "n_factors": Bounds(8, 256),
            "confidence": Bounds(0.5, 50.0),
            "regularization": Bounds(0.01, 5.0),
        },
        {},
        {},
    ),
    "implicit_bpr": Space(
        {
            "n_factors": Bounds(8, 128),
            "regularization": Bounds(1e-4, 0.1),
            "learning_rate": Bounds(0.005, 0.2),
            "iterations": Bounds(20, 300),
        },
        {},
        {},
    ),
    "svd": Space(
        {
            "n_factors": Bounds(4, 256),
            "user_power": Bounds(0.0, 1.0, log=False),
            "item_power": Bounds(0.0, 1.0, log=False),
        },
        {},
        {},
    ),
    "ease": Space(
        {
            "regularization": Bounds(5.0, 10_000.0),
            "dropout": Bounds(0.0, 0.6, log=False),
            "row_power": Bounds(0.0, 0.7, log=False),
        },
        {"window": (None, 5, 10, 20), "feature_weight": (0.0, 5.0, 20.0, 60.0)},
        {},
    ),
    "autoencoder": Space(
        {
            "hidden": Bounds(50, 400),
            "epochs": Bounds(10, 80),
            "penalty": Bounds(1e-6, 1e-3),
            "dropout": Bounds(0.2, 0.7, log=False),
        },
        {},
        {},
    ),
    "item_neighbours": Space(
        {
            "neighbours": Bounds(10, 500),
            "shrinkage": Bounds(0.5, 300.0),
            "item_power": Bounds(0.2, 0.9, log=False),
        },
        {},
        {},
    ),
    "user_neighbours": Space({"neighbours": Bounds(10, 1_000), "shrinkage": Bounds(0.5, 100.0)}, {}, {}),
    "session_neighbours": Space(
        {
            "neighbours": Bounds(20, 1_000),
            "latest": Bounds(2, 80),
            "rarity": Bounds(0.0, 1.5, log=False),
            "distance": Bounds(0.0, 1.5, log=False),
        },
        {},
        {},
    ),
    "sasrec": _network(10, 100),
    "gru4rec": _network(5, 50),
    "trending": Space({"half_life_days": Bounds(0.02, 365.0)}, {}, {}),
    "content_affinity": Space({"smoothing": Bounds(0.5, 500.0)}, {"summed": (False, True)}, {}),
}
