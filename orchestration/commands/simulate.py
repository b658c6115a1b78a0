"""`tessera simulate`: a site with planted truth, where no data is at hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestration.commands.home import HomeOption, chosen_settings, home_of

if TYPE_CHECKING:
    from ml.settings.simulator import SimulatorSettings
    from ml.sources.simulator import Site

console = Console(highlight=False, emoji=False)
DATE = ["%Y-%m-%d"]


def simulate(
    users: Annotated[
        int | None, typer.Option(min=10, show_default="simulator.yaml", help="Users at the start.")
    ] = None,
    events: Annotated[
        int | None, typer.Option(min=1000, help="As many users as make about so many events, instead of --users.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, show_default="simulator.yaml", help="Planned days.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, show_default="simulator.yaml", help="Same seed, same site.")
    ] = None,
    end: Annotated[
        dt.datetime | None,
        typer.Option(formats=DATE, show_default="today", help="First date after the planned days."),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="What happens on the site at 60% of its days: quiet (nothing), taste_change, slow_taste_change, "
            "broken_tracker, new_device or worse_champion."
        ),
    ] = None,
    until: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=DATE, show_default="--end", help="Stop before this date; call again to go on from there."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write plain Parquet files into this folder instead of a home.")
    ] = None,
    calibration_plot: Annotated[
        Path | None,
        typer.Option(help="Also draw the site's marginals beside Globo's into this image; needs --globo."),
    ] = None,
    globo: Annotated[Path | None, typer.Option(help="Folder of the Globo click log, with clicks.parquet.")] = None,
    home: HomeOption = None,
) -> None:
    """Simulate a content-and-shop site into the event log.

    Users have planted personas, habits and classes of engagement; the truth is written to `truth/` of the home,
    and no part of the pipeline reads it. The same seed, sizes and dates give the same events.

    On a home with a simulated site the site goes on: `tessera simulate` adds the days up to today, `--until` up to
    another date. The home remembers the site, so its sizes, seed and scenario cannot be given again.

    With `--scenario` something happens on the site, and `truth/scenario.parquet` says what, when and to whom. Some
    days have a campaign, which brings many strangers and is no change.
    """
    from ml.experiments.definition.planted_experiments import define_planted_experiments
    from ml.sources.simulator import read_recorded_site, simulate_into_folder, simulate_into_home

    if (calibration_plot is None) != (globo is None):
        raise typer.BadParameter("--calibration-plot and --globo go together")
    if globo and not (globo / "clicks.parquet").exists():
        raise typer.BadParameter(
            f"{globo / 'clicks.parquet'} is not there: --globo is the folder of the Globo click log"
        )
    today = dt.datetime.now(dt.UTC).date()
    chosen_home = home_of(home)
    recorded = None if out else read_recorded_site(chosen_home)
    if recorded:
        if any(option is not None for option in (users, events, days, seed, end, scenario)):
            raise typer.BadParameter(
                f"{chosen_home.path} has a site already: only --until goes with it, or choose another --home"
            )
        site, since = recorded
        stop = until.date() if until else today
        if stop <= since:
            console.print(f"The site is simulated up to {since}: nothing to do. --until DATE goes further.")
            return
    else:
        site = _new_site(
            chosen_settings(chosen_home).simulator,
            users,
            events,
            days,
            seed,
            end.date() if end else today,
            scenario,
        )
        since = site.start
        stop = until.date() if until else site.date_of(site.settings.days)
        if stop <= since:
            raise typer.BadParameter(f"--until {stop} is not after the first day, {since}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("events"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(f"simulate {since} to {stop}", total=None)

        def show(count: int) -> None:
            progress.update(task, completed=count)

        if out:
            done = simulate_into_folder(out, site, since, stop, show)
        else:
            done = simulate_into_home(chosen_home, site, since, stop, show)
            define_planted_experiments(site, chosen_home)
    if done.already_there:
        console.print("These days were simulated before: nothing to do.")
        return
    console.print(f"[bold]{done.events:,}[/] events of {since} to {stop}, {done.items:,} items.")
    for name, count in done.rejected.most_common():
        console.print(f"  {count:>9,}  malformed on purpose in {name}, kept as dead letters", markup=False)
    if calibration_plot and globo:
        _plot(site, globo, calibration_plot)


def _plot(site: Site, globo: Path, file: Path) -> None:
    from ml.sources.simulator.calibration import GLOBO_DAYS, globo_marginals, plot_marginals, site_marginals

    since_day = max((site.settings.days - GLOBO_DAYS) // 2, 0)
    plot_marginals(site_marginals(site, since_day), globo_marginals(globo), file)
    console.print(f"Marginals beside Globo's: {escape(str(file))}")


def _new_site(
    knobs: SimulatorSettings,
    users: int | None,
    events: int | None,
    days: int | None,
    seed: int | None,
    end: dt.date,
    scenario: str | None,
) -> Site:
    from ml.sources.simulator.scenarios import Scenario, as_recorded
    from ml.sources.simulator.sizing import settings_for_events

    if users and events:
        raise typer.BadParameter("--users and --events are two ways to say the same: give one of them")
    if scenario and scenario not in list(Scenario):
        raise typer.BadParameter(f"--scenario {scenario} is not one of {', '.join(Scenario)}")
    given = {name: value for name, value in (("users", users), ("days", days)) if value is not None}
    settings = knobs.model_copy(update=given)
    chosen_seed = settings.seed if seed is None else seed
    start = end - dt.timedelta(days=settings.days)
    if events:
        settings = settings_for_events(settings, chosen_seed, start, events)
    return as_recorded(settings, chosen_seed, start, scenario)
