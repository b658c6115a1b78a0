"""Which parameters of which model are searched, and between which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

NEVER = 0  # how `None` stands in a study, which orders numbers


@dataclass(frozen=True)
class Range:
    """Numbers between bounds, on a logarithmic scale if `log`; whole ones if both bounds are whole."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class Space:
    """What is searched: ranges and choices by parameter; `fixed` parameters differ from the model's own."""

    ranges: Mapping[str, Range]
    choices: Mapping[str, tuple[Any, ...]]
    fixed: Mapping[str, Any]

    def suggest(self, model: str, trial: optuna.Trial) -> dict[str, Any]:
        """Parameters for a trial; in the study they are named `model.parameter`."""
        found: dict[str, Any] = dict(self.fixed)
        for name, own in self.ranges.items():
            whole = isinstance(own.low, int) and isinstance(own.high, int)
            ask = trial.suggest_int if whole else trial.suggest_float
            found[name] = ask(f"{model}.{name}", own.low, own.high, log=own.log)
        for name, options in self.choices.items():
            chosen = trial.suggest_categorical(f"{model}.{name}", [NEVER if o is None else o for o in options])
            found[name] = None if chosen == NEVER and None in options else chosen
        return found

    def encoded(self, model: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as the study names them, those that it can express."""
        found = {f"{model}.{name}": params[name] for name, own in self.ranges.items() if params[name] is not None}
        for name, options in self.choices.items():
            if params[name] in options:
                found[f"{model}.{name}"] = NEVER if params[name] is None else params[name]
        return found


def _hybrid(most_sampled: bool) -> Space:
    ranges = {"n_factors": Range(8, 128), "learning_rate": Range(0.005, 0.2)}
    return Space(
        {**ranges, "max_sampled": Range(3, 60)} if most_sampled else ranges,
        {
            "item_alpha": (0.0, 1e-6, 1e-5, 1e-4),
            "user_alpha": (0.0, 1e-6, 1e-5, 1e-4),
            "item_identity_from": (None, 1, 5),
        },
        {"epochs": 30},  # the most: the best epoch is what the trial ends with
    )


SPACES: dict[str, Space] = {
    "lightfm_warp": _hybrid(most_sampled=True),
    "lightfm_bpr": _hybrid(most_sampled=False),
    "lightfm_logistic": _hybrid(most_sampled=False),
    "als": Space(
        {"n_factors": Range(8, 256), "confidence": Range(0.5, 50.0), "regularization": Range(0.01, 5.0)}, {}, {}
    ),
    "implicit_bpr": Space(
        {
            "n_factors": Range(8, 128),
            "regularization": Range(1e-4, 0.1),
            "learning_rate": Range(0.005, 0.2),
            "iterations": Range(20, 300),
        },
        {},
        {},
    ),
    "svd": Space(
        {
            "n_factors": Range(4, 256),
            "user_power": Range(0.0, 1.0, log=False),
            "item_power": Range(0.0, 1.0, log=False),
        },
        {},
        {},
    ),
    "ease": Space(
        {
            "regularization": Range(5.0, 10_000.0),
            "dropout": Range(0.0, 0.6, log=False),
            "row_power": Range(0.0, 0.7, log=False),
        },
        {"window": (None, 5, 10, 20), "feature_weight": (0.0, 5.0, 20.0, 60.0)},
        {},
    ),
    "autoencoder": Space(
        {
            "hidden": Range(50, 400),
            "epochs": Range(10, 80),
            "penalty": Range(1e-6, 1e-3),
            "dropout": Range(0.2, 0.7, log=False),
        },
        {},
        {},
    ),
    "item_neighbours": Space(
        {
            "neighbours": Range(10, 500),
            "shrinkage": Range(0.5, 300.0),
            "item_power": Range(0.2, 0.9, log=False),
        },
        {},
        {},
    ),
    "user_neighbours": Space({"neighbours": Range(10, 1_000), "shrinkage": Range(0.5, 100.0)}, {}, {}),
    "trending": Space({"half_life_days": Range(0.02, 365.0)}, {}, {}),
    "content_affinity": Space({"smoothing": Range(0.5, 500.0)}, {"summed": (False, True)}, {}),
}
