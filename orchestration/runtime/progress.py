"""Live progress of a run: one line for each stage, with its current asset, its duration and the time left."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import dagster as dg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from orchestration.runtime.counts import count_noun
from orchestration.runtime.durations import describe_seconds
from orchestration.runtime.materialization import Stage


class TimeLeftColumn(ProgressColumn):
    """What is left of the time that a stage took in the run before; empty where there was none."""

    def render(self, task: Task) -> Text:
        """Render the text for one stage."""
        expected, elapsed = task.fields["expected"], task.elapsed or 0.0
        if not expected or not task.started or task.finished:
            return Text("")
        if elapsed > expected:
            return Text("longer than last time", style="dim")
        return Text(f"about {describe_seconds(expected - elapsed)} left", style="dim")


class StageProgress:
    """Draws the stages of a run on a terminal; elsewhere prints a line when a stage begins and when it is done.

    Use it as a context manager and pass it each event through `update`.

    Args:
        console: Where to draw.
        stages: The stages in their order.
        step_seconds: How long each step took in the run before.
    """

    def __init__(
        self, console: Console, stages: Sequence[Stage], step_seconds: Mapping[str, float] | None = None
    ) -> None:
        seconds = step_seconds or {}
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("[bold]{task.description:<15}[/]"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            TextColumn("[dim]{task.fields[current]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )
        self._stage_of_asset: dict[str, TaskID] = {}
        self._stage_of_step: dict[str, TaskID] = {}
        self._started: dict[TaskID, float] = {}
        self._done: set[str] = set()
        for stage in stages:
            expected = sum(seconds.get(step, 0.0) for step in stage.steps)
            task = self._bars.add_task(
                stage.name, total=len(stage.assets), start=False, current="", expected=expected
            )
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
            if not self._console.is_terminal:
                stage = self._bars.tasks[task]
                expected = stage.fields["expected"]
                last_time = f": {describe_seconds(expected)} the last time" if expected else ""
                self._console.print(f"… {stage.description}{last_time}")
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
                assets = count_noun(int(bar.completed), "asset")
                self._console.print(f"✓ {bar.description}: {assets}, {seconds:.1f} s")
