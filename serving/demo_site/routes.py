"""Pages, scripts and data of the demo site."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ml.home import Home
from ml.settings import Settings
from ml.sources.catalogue import Catalogue
from serving.demo_site import tracker
from serving.errors import JSON, error_answer

STATIC, TEMPLATES = Path(__file__).with_name("static"), Path(__file__).with_name("templates")
LISTED_ITEMS = 60
FILM_SECONDS, FILM_RATE = 4, 8_000
PAGES = {"": "home", "form": "form", "video": "video"}
LINKS = [(name, page.capitalize()) for name, page in PAGES.items()]


def demo_routes(home: Home, settings: Settings) -> list[BaseRoute]:
    """Routes below /demo, for an application that has the collector's routes too."""
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)

    def rendered(name: str) -> HTMLResponse:
        page = PAGES.get(name, "item")
        return HTMLResponse(templates.get_template(f"{page}.html.j2").render(page=name, pages=LINKS))

    async def page(request: Request) -> Response:
        name = request.path_params.get("page", "")
        if name not in PAGES:
            return error_answer(404, f"the demo site has no page {name[:40]!r}")
        return rendered(name)

    async def item_page(_: Request) -> Response:
        return rendered("items")

    async def vendor(request: Request) -> Response:
        file = tracker.script(home, request.path_params["name"])
        if file is None:
            return error_answer(404, tracker.MISSING)
        return FileResponse(file, media_type="text/javascript")

    async def config(_: Request) -> Response:
        return JSON(
            {
                "page_ping_seconds": settings.collector.page_ping_seconds,
                "missing": None if tracker.is_installed(home) else tracker.MISSING,
            }
        )

    async def items(request: Request) -> Response:
        item_ids = request.query_params.getlist("id")
        return JSON(
            await asyncio.to_thread(lambda: read_items(home, item_ids) if item_ids else newest_items(home))
        )

    async def film(_: Request) -> Response:
        return Response(silent_film(), media_type="audio/wav", headers={"Accept-Ranges": "none"})

    async def slash(_: Request) -> Response:
        return RedirectResponse("/demo/")

    return [
        Route("/demo", slash),
        Route("/demo/", page),
        Route("/demo/config.json", config),
        Route("/demo/items.json", items),
        Route("/demo/items/{item_id}", item_page),
        Route("/demo/vendor/{name}", vendor),
        Route("/demo/film.wav", film),
        Mount("/demo/static", StaticFiles(directory=STATIC)),
        Route("/demo/{page:str}", page),
    ]


def read_items(home: Home, item_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Items by id, as JSON objects; ids that the catalogue does not know are left out."""
    table = Catalogue(home).read()
    return _as_json(table.filter(pc.is_in(table["item_id"], pa.array(item_ids, pa.string()))))


def newest_items(home: Home) -> list[dict[str, Any]]:
    """The newest items of the catalogue, as JSON objects."""
    table = Catalogue(home).read()
    order = table.sort_by([("published_at", "descending"), ("item_id", "ascending")])
    return _as_json(order.slice(0, LISTED_ITEMS))


def _as_json(table: pa.Table) -> list[dict[str, Any]]:
    names = ("item_id", "title", "text", "category", "tags", "price", "currency", "language")
    rows: list[dict[str, Any]] = table.select(names).to_pylist()
    return rows


def silent_film() -> bytes:
    """A film of FILM_SECONDS that any browser plays: a sound file of silence, so that no codec is needed."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(FILM_RATE)
        file.writeframes(b"\x80" * (FILM_RATE * FILM_SECONDS))
    return buffer.getvalue()
