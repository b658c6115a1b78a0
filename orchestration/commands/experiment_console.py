"""What the commands of `tessera experiment` share: the warehouse, intervals as text, errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
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
    """Both bounds in percent."""
    return f"{interval.low:+.2%} to {interval.high:+.2%}"


@contextmanager
def clear_errors() -> Iterator[None]:
    """Show a foreseen error as one clear text and end with status 2."""
    from ml.experiments.definition.definition import UnknownExperimentError
    from orchestration.warehouse.warehouse import WarehouseBusyError, WarehouseMissingError

    try:
        yield
    except (
        ValueError,
        UnknownExperimentError,
        WarehouseBusyError,
        WarehouseMissingError,
        FileNotFoundError,
    ) as error:
        console.print(f"[red]tessera experiment:[/] {error}", soft_wrap=True, markup=True)
        raise typer.Exit(2) from None
