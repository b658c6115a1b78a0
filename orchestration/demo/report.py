"""The page that the demo ends with: segments, the candidates' evaluation, sample users, what to type next."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ml.home import Home
from ml.settings.operation import PortSettings
from orchestration.demo.demo_results import DemoResults, SampleUser
from orchestration.product_files import default_home

BASELINE = "popularity"
BAR_WIDTH = 20
METRICS = (
    ("ndcg_at_10", "NDCG@10"),
    ("map_at_10", "MAP@10"),
    ("recall_at_10", "recall@10"),
    ("hit_at_10", "hit@10"),
)
SHARES = (("coverage", "coverage"),)


def report(results: DemoResults, home: Home, ports: PortSettings) -> RenderableType:
    """The whole page."""
    counts = " · ".join(f"[bold]{count:,}[/] {name}" for name, count in results.counts.items())
    return Group(
        "",
        Panel(counts, title="Tessera", box=box.ROUNDED, padding=(0, 2), expand=False),
        "",
        segments(results.profiles),
        "",
        evaluation(results.candidates, results.champion),
        "",
        *(part for person in results.people for part in (sample(person), "")),
        next_steps(results, home, ports),
    )


def segments(profiles: pa.Table) -> RenderableType:
    """Segments with their sizes, the largest first."""
    table = Table(title="Segments", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("name")
    table.add_column("users", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    rows = sorted(profiles.to_pylist(), key=lambda row: -row["size"])
    largest = max((row["share"] for row in rows), default=1.0)
    for row in rows:
        bar = "█" * max(1, round(BAR_WIDTH * row["share"] / largest))
        table.add_row(row["name"], f"{row['size']:,}", f"{row['share']:.0%}", Text(bar, style="cyan"))
    if not rows:
        return Text("Segments: none passed the tests, so all users count as one group.")
    return table


def evaluation(candidates: pa.Table, champion: str) -> RenderableType:
    """Each candidate's metrics on held-out later events, and its gain over the popularity baseline."""
    rows = sorted(candidates.to_pylist(), key=lambda row: -_number(row, METRICS[0][0]))
    table = Table(
        title="Recommenders, measured on what users did next",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("model", no_wrap=True)
    for _, label in (*METRICS, *SHARES):
        table.add_column(label, justify="right")
    table.add_column("gain")
    for row in rows:
        is_champion = row["model"] == champion
        table.add_row(
            f"{row['model']} ★" if is_champion else str(row["model"]),
            *(_decimal(_number(row, name)) for name, _ in METRICS),
            *(_percent(_number(row, name)) for name, _ in SHARES),
            row["gain"],
            style="green" if is_champion else None,
        )
    return Group(
        table,
        Text(
            "★ the champion, which the service shows; gain in NDCG@10 over popularity, with its 95% interval",
            style="dim",
        ),
    )


def sample(person: SampleUser) -> RenderableType:
    """One user with recommendations and reasons."""
    interests = ", ".join(person.interests) or "nothing yet"
    table = Table(
        title=f"{person.user_id}: {person.segment}, {person.engagement_class}, mostly reads {interests}",
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        padding=(0, 2, 0, 0),
    )
    for rank, shown in enumerate(person.shown, start=1):
        reason = shown.reason.replace(f" ({person.segment})", "")  # the segment stands in the title
        table.add_row(f"{rank}", shown.title, Text(shown.category, style="cyan"), Text(reason, style="dim"))
    return table


def next_steps(results: DemoResults, home: Home, ports: PortSettings) -> RenderableType:
    """What to type next."""
    table = Table(
        title="Next", title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2, 0, 0)
    )
    table.add_column(no_wrap=True, style="bold")
    where = f" --site {_shown(home.site)}" if home.site else ""
    if home.path != default_home():
        where += f" --home {_shown(home.path)}"
    table.add_row(f"tessera up{where}", "start Dagster, MLflow, the service and a page that links them")
    table.add_row(f"tessera docs{where}", "describe every table: columns, SQL and lineage")
    table.add_row(f"tessera materialize{where}", "bring everything up to date with what people did since")
    table.add_row("tessera ingest --help", "bring your own events, into a home of their own")
    user = results.people[0].user_id if results.people else "anybody"
    body = json.dumps({"user_id": user, "k": 5})
    curl = f"curl -s http://127.0.0.1:{ports.service}/v1/recommendations -d '{body}'"
    return Group(
        table,
        Text("\nAsk the service, once it is up:"),
        Text(curl, style="bold", overflow="fold"),
        Text(f"\nAll of it lies in {home.path}; deleting that folder is a full reset.", style="dim"),
    )


def _shown(folder: Path) -> str:
    """A folder as one would type it here."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _number(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None else float(value)


def _decimal(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}".removeprefix("0")


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"
