"""Live progress of a run: one line for each stage, with its current asset and duration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

import dagster as dg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from orchestration.runtime.materialization import Stage


class StageProgress:
    """Draws the stages of a run on a terminal; elsewhere prints a line when a stage is done.

    Use it as a context manager and pass it each event through `update`.
    """

    def __init__(self, console: Console, stages: Sequence[Stage]) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("[bold]{task.description:<15}[/]"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[current]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )
        self._stage_of_asset: dict[str, TaskID] = {}
        self._stage_of_step: dict[str, TaskID] = {}
        self._started: dict[TaskID, float] = {}
        self._done: set[str] = set()
        for stage in stages:
            task = self._bars.add_task(stage.name, total=len(stage.assets), start=False, current="")
            self._stage_of_asset |= dict.fromkeys(stage.assets, task)
            for step in stage.steps:
                self._stage_of_step.setdefault(step, task)

    def __enter__(self) -> StageProgress:
        self._bars.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.__exit__(kind, error, trace)

    def update(self, event: dg.DagsterEvent) -> None:
        """Move the bars by one event of the run."""
        if event.is_step_start and event.step_key in self._stage_of_step:
            self._begin(self._stage_of_step[event.step_key], event.step_key)
        elif event.is_step_failure and event.step_key in self._stage_of_step:
            task = self._stage_of_step[event.step_key]
            self._bars.update(task, current=f"[red]{event.step_key} failed[/]")
            self._bars.stop_task(task)
        elif event.is_step_materialization and event.asset_key is not None:
            asset = event.asset_key.to_user_string()
            if asset in self._stage_of_asset and asset not in self._done:
                self._done.add(asset)
                self._advance(self._stage_of_asset[asset], asset)

    def _begin(self, task: TaskID, current: str) -> None:
        if task not in self._started:
            self._started[task] = time.monotonic()
            self._bars.start_task(task)
        self._bars.update(task, current=current)

    def _advance(self, task: TaskID, asset: str) -> None:
        self._begin(task, asset)
        self._bars.advance(task)
        bar = self._bars.tasks[task]
        if bar.finished:
            self._bars.update(task, current="")
            self._bars.stop_task(task)
            if not self._console.is_terminal:
                seconds = time.monotonic() - self._started[task]
                self._console.print(f"✓ {bar.description}: {bar.completed:.0f} assets, {seconds:.1f} s")
