"""`tessera demo`: a simulated site through the whole pipeline, and a page about what came out."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ml.home import Home
from ml.settings import Settings
from orchestration.commands.home import HomeOption, chosen_settings, home_of
from orchestration.product_files import CODE_FOLDERS, DBT_PROJECT_FOLDER

if TYPE_CHECKING:
    from ml.settings.simulator import SimulatorSettings
    from orchestration.demo.demo_results import DemoResults

QUICK_DIVISOR = 4
SOURCES = (*CODE_FOLDERS, DBT_PROJECT_FOLDER / "models", DBT_PROJECT_FOLDER / "macros")


def demo(
    *,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also draw the pipeline and the results into this folder.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"Simulate 1/{QUICK_DIVISOR} of the users, for a first look.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Simulate a site, build everything from its events, and show what came out.

    Segments with sizes and names, the recommenders against the popularity baseline, and five users with what the
    built service recommends to them and why. Run again, it shows the same page at once, unless something changed.
    """
    from ml.events.log import EventLog
    from orchestration.demo.demo_results import demo_results
    from orchestration.demo.report import report
    from orchestration.runtime.bytecode import compiling_libraries
    from orchestration.runtime.garbage import release_loaded
    from orchestration.warehouse.dbt_project import prepared_manifest

    chosen, console = home_of(home), Console(highlight=False, emoji=False)
    settings = chosen_settings(chosen)
    is_new = not EventLog(chosen).parts()
    with compiling_libraries() if is_new else nullcontext():
        with ThreadPoolExecutor(1) as pool:
            parsed = pool.submit(prepared_manifest, chosen)  # a process of its own, beside the simulation
            _simulate(chosen, shrink(settings.simulator) if quick else settings.simulator, console)
            parsed.result()
        _materialize(chosen, settings, console)
    with console.status("Asking the built service for five users …"):
        results = demo_results(chosen)
    console.print(report(results, chosen, settings.ports))
    if pictures is not None:
        _draw(results, pictures, console)
    release_loaded()


def shrink(settings: SimulatorSettings) -> SimulatorSettings:
    """Return the settings of the smaller site that `--quick` simulates."""
    return settings.model_copy(update={"users": max(settings.users // QUICK_DIVISOR, 1)})


def _simulate(home: Home, settings: SimulatorSettings, console: Console) -> None:
    """Fill an empty log with the simulated site; a log that has events is taken as it is."""
    import datetime as dt

    from ml.events.log import EventLog
    from ml.experiments.definition.planted_experiments import define_planted_experiments
    from ml.sources.simulator import Site, simulate_into_home

    if EventLog(home).parts():
        return
    today = dt.datetime.now(dt.UTC).date()
    first = today - dt.timedelta(days=settings.days)
    site = Site(settings, settings.seed, first)
    with console.status("Simulating a site …") as status:
        done = simulate_into_home(
            home,
            site,
            first,
            today,
            lambda count: status.update(f"Simulating a site: {count:,} events"),
        )
    define_planted_experiments(site, home)
    console.print(f"[green]✓[/] simulated {done.events:,} events of {first} to {today}")


def _materialize(home: Home, settings: Settings, console: Console) -> None:
    """Materialize everything, unless the same events, settings and code were materialized before."""
    from orchestration.commands.materialize import run

    record = home.path / "demo.sha256"
    state = _state(home, settings)
    if record.exists() and record.read_text(encoding="utf-8") == state:
        return
    run(home, "daily_increment", console)
    record.write_text(_state(home, settings), encoding="utf-8")


def _state(home: Home, settings: Settings) -> str:
    """Fingerprint of all that a materialization depends on."""
    from ml.events.log import EventLog

    digest = hashlib.sha256(settings.model_dump_json().encode())
    for part in sorted(part.part_id for part in EventLog(home).parts()):
        digest.update(part.encode())
    for folder in SOURCES:
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".py", ".sql", ".yml"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _draw(results: DemoResults, folder: Path, console: Console) -> None:
    from orchestration.definitions import defs
    from orchestration.demo.pictures import draw_pipeline, draw_results

    folder.mkdir(parents=True, exist_ok=True)
    draw_pipeline(defs(), folder / "pipeline.png")
    draw_results(results, folder / "results.png")
    console.print(f"Pictures in {escape(str(folder))}: pipeline.png, results.png")
