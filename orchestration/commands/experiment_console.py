"""Functions that the commands of `tessera experiment` share."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from ml.experiments.analysis.inference import EffectInterval
    from ml.home import Home
    from orchestration.warehouse.warehouse import Warehouse

console = Console(highlight=False)


def open_warehouse(home: Home) -> Warehouse:
    """Open the home's warehouse."""
    from orchestration.warehouse.warehouse import Warehouse

    return Warehouse(home.warehouse)


def format_interval(interval: EffectInterval) -> str:
    """Format both bounds in percent, or the reason why the interval is not available."""
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return "too few units"
    return f"{interval.low:+.2%} to {interval.high:+.2%}"
