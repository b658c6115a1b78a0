"""The application behind the start page: one page of links, and the reports below `/reports`."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ml.home import Home, make_folder
from ml.registry.views import find_candidates_view
from ml.settings.operation import PortSettings
from orchestration.runtime.addresses import LOOPBACK, address_of, report_address

# Not the audiences, which name people.
SERVED_REPORTS = ("usage", "segmentation", "experiments", "quality", "warehouse")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1f2933}"
    "h1{margin-bottom:0}h2{margin:2rem 0 .5rem;font-size:1.1rem}dl{margin:0}dt{margin-top:.7rem}"
    "dt a{font-weight:600;color:#0b5cad}dd{margin:0;color:#52606d}"
    ".missing{font-weight:600}code{background:#f1f3f5}"
)


@dataclass(frozen=True)
class PageLink:
    """A link of the start page; `address` is None for what is not there yet."""

    name: str
    address: str | None
    description: str


def pages_application(home: Home, ports: PortSettings) -> Starlette:
    """Create the application.

    Args:
        home: The home whose reports are served.
        ports: Where the other programs listen.
    """

    async def start(_: Request) -> Response:
        return HTMLResponse(render_start_page(home, ports))

    routes: list[BaseRoute] = [Route("/", start)]
    for name in SERVED_REPORTS:
        folder = make_folder(home.reports / name)
        routes.append(Mount(f"/reports/{name}", StaticFiles(directory=folder, html=True)))
    # A page of the web that gives its own name the address of this machine is refused.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])
    return Starlette(routes=routes, middleware=[hosts])


def render_start_page(home: Home, ports: PortSettings) -> str:
    """Render the page; what has not been made yet says which command makes it."""
    sections = {
        "Programs": list_programs(home, ports),
        "Reports": list_reports(home, ports),
    }
    body = "".join(
        f"<h2>{escape(title)}</h2><dl>{''.join(map(_render_link, links))}</dl>"
        for title, links in sections.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tessera</title>'
        '<link rel="icon" href="data:,">'
        f"<style>{STYLE}</style><h1>Tessera</h1><p>Every page and report of this home, on this machine.</p>{body}"
        "</html>"
    )


def list_programs(home: Home, ports: PortSettings) -> list[PageLink]:
    """List the pages of the other programs."""
    service = address_of(ports.service)
    return [
        PageLink(
            "Dagster",
            f"{address_of(ports.dagster)}/asset-groups",
            "Run the pipeline, and see why a check stopped it.",
        ),
        PageLink(
            "MLflow",
            f"{address_of(ports.mlflow)}/{find_candidates_view(home)}",
            "Compare the models and follow the champion.",
        ),
        PageLink(
            "Console", f"{service}/console", "What people do on the site, the segments and the model in use."
        ),
        PageLink("API", f"{service}/docs", "Try each call of the service."),
        PageLink("Demo site", f"{service}/demo/", "A small site that sends events and shows recommendations."),
    ]


def list_reports(home: Home, ports: PortSettings) -> list[PageLink]:
    """List the reports of the home."""
    reports = home.reports

    def link(name: str, file: Path, description: str, made_by: str) -> PageLink:
        if file.exists():
            return PageLink(name, report_address(home, ports, file), description)
        return PageLink(name, None, f"{description} Not there yet: {made_by} makes it.")

    experiments = [
        link(f"Experiment {file.parent.name}", file, "Effects, checks and the decision.", "")
        for file in sorted((reports / "experiments").glob("*/report.html"))
    ]
    return [
        link(
            "Use of the site",
            reports / "usage" / "report.html",
            "Pages, paths, funnels, retention and sources.",
            "`tessera materialize`",
        ),
        link(
            "Segments",
            reports / "segmentation" / "report.html",
            "Who the users are, and what sets the segments apart.",
            "`tessera materialize`",
        ),
        *experiments,
        link(
            "Data quality",
            reports / "quality" / "index.html",
            "What the checks found in the tables.",
            "`tessera materialize`",
        ),
        link(
            "Tables",
            reports / "warehouse" / "index.html",
            "Every table with its columns, SQL and lineage.",
            "`tessera docs`",
        ),
    ]


def _render_link(link: PageLink) -> str:
    name = escape(link.name)
    title = (
        f'<a href="{escape(link.address)}">{name}</a>' if link.address else f'<span class="missing">{name}</span>'
    )
    words = escape(link.description).split("`")
    text = "".join(f"<code>{word}</code>" if place % 2 else word for place, word in enumerate(words))
    return f"<dt>{title}</dt><dd>{text}</dd>"
