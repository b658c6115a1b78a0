"""What the commands of `tessera experiment` share: the warehouse and intervals as text."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from ml.experiments.analysis.inference import EffectInterval
    from ml.home import Home
    from orchestration.warehouse.warehouse import Warehouse

console = Console(highlight=False)


def warehouse_of(home: Home) -> Warehouse:
    """The home's warehouse."""
    from orchestration.warehouse.warehouse import Warehouse

    return Warehouse(home.warehouse)


def shown_interval(interval: EffectInterval) -> str:
    """Both bounds in percent, or what keeps the interval from being given."""
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return "too few units"
    return f"{interval.low:+.2%} to {interval.high:+.2%}"
