"""Functions that the commands of `tessera experiment` share."""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from ml.experiments.analysis.inference import EffectInterval
    from ml.home import Home
    from orchestration.warehouse.warehouse import Warehouse

console = Console(highlight=False, emoji=False)


def open_warehouse(home: Home) -> Warehouse:
    """Open the home's warehouse."""
    from orchestration.warehouse.warehouse import Warehouse

    return Warehouse(home.warehouse)


def format_interval(interval: EffectInterval) -> str:
    """Format the bounds in percent, or the reason why the interval is not available."""
    from ml.experiments.report.number_formats import format_bounds

    return format_bounds(interval) if isfinite(interval.low) or isfinite(interval.high) else "too few units"


def format_change(relative: EffectInterval) -> str:
    """Format a relative change in percent, a dash where there is none."""
    from ml.experiments.report.number_formats import format_percent

    return format_percent(relative.value)


def format_value(value: float, units: int) -> str:
    """Format a value with the units that it is about."""
    return f"{'–' if isnan(value) else f'{value:.4g}'} ({units:,})"
