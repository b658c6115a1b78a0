"""Recipes: configurations whose penalties are relative to the data, and so hold on samples and on all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan.shape import DataShape


class Recipe(Protocol):
    """Something that becomes a configuration once the data is known."""

    def configuration(self, shape: DataShape) -> Configuration:
        """The model with its parameters for data of this shape."""


@dataclass(frozen=True)
class SingleRecipe:
    """One model.

    Attributes:
        model: name in the zoo.
        params: parameters that hold for data of any size.
        scaled: parameters as multiples of the mass of an item, see `DataShape.item_mass`.
    """

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    scaled: Mapping[str, float] = field(default_factory=dict)

    def configuration(self, shape: DataShape) -> Configuration:
        """Multiply what is relative, to three digits."""
        scaled = {name: float(f"{factor * shape.item_mass:.3g}") for name, factor in self.scaled.items()}
        return Configuration(self.model, {**self.params, **scaled})

    def with_value(self, name: str, value: Any) -> SingleRecipe:
        """The same with another value of one parameter, which is relative where it was."""
        if name in self.scaled:
            return SingleRecipe(self.model, self.params, {**self.scaled, name: value})
        return SingleRecipe(self.model, {**self.params, name: value}, self.scaled)

    def value(self, name: str) -> Any:
        """Value of a parameter as it stands in the recipe."""
        return self.scaled[name] if name in self.scaled else self.params[name]


@dataclass(frozen=True)
class BlendRecipe:
    """Several recipes as one by the weighted sum of their standardised scores."""

    parts: Sequence[SingleRecipe]
    weights: Sequence[float]

    def configuration(self, shape: DataShape) -> Configuration:
        """The blend of the parts' configurations."""
        models = [
            {"model": made.model, "params": dict(made.params), "weight": weight}
            for made, weight in zip(_made(self.parts, shape), self.weights, strict=True)
        ]
        return Configuration("blend", {"models": models})


@dataclass(frozen=True)
class StackRecipe:
    """Several recipes as the first stage of a learned ranking."""

    parts: Sequence[SingleRecipe]
    options: Mapping[str, Any]

    def configuration(self, shape: DataShape) -> Configuration:
        """The stack of the parts' configurations."""
        models = [{"model": made.model, "params": dict(made.params)} for made in _made(self.parts, shape)]
        return Configuration("stacked", {"models": models, **self.options})


def _made(parts: Sequence[SingleRecipe], shape: DataShape) -> list[Configuration]:
    return [part.configuration(shape) for part in parts]
