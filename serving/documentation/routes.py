"""`/docs` and `/openapi.json`: the API as OpenAPI 3.1, and a page on which each call can be tried."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from serving.documentation.examples import Samples
from serving.documentation.openapi import openapi
from serving.errors import JSON
from serving.tessera import Tessera

STATIC = Path(__file__).with_name("static")
# The page styles elements by attributes, and its icons are addresses of data.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def documentation_routes(tessera: Tessera) -> list[BaseRoute]:
    """Create the routes. They need no key."""
    described: dict[tuple[object, ...], dict[str, Any]] = {}

    async def specification(_: Request) -> Response:
        key = (tessera.champion.bundle_version, bool(tessera.access.keys))
        if key not in described:
            described.clear()
            described[key] = openapi(choose_samples(tessera))
        return JSON(described[key])

    async def documentation(_: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": POLICY})

    return [
        Route("/openapi.json", specification, methods=["GET"]),
        Route("/docs", documentation, methods=["GET"]),
        Mount("/docs/static", StaticFiles(directory=STATIC)),
    ]


def choose_samples(tessera: Tessera) -> Samples:
    """Choose ids for the examples: those of the bundle, so that they work, unless the service has keys.

    Everybody may read the description, and on a service with keys not everybody may know whom it serves.
    """
    index, general = tessera.champion.index, Samples()
    if index is None or tessera.access.keys:
        return general
    bundle = index.bundle
    now = dt.datetime.now(dt.UTC)
    # One that runs, if there is one, so that the example is given a variant.
    experiments = sorted(
        tessera.experiments.experiments.experiments.values(),
        key=lambda experiment: (not experiment.is_running(now), experiment.id),
    )
    users = [person for person in bundle.users["user_id"].slice(0, 1).to_pylist() if person]
    return Samples(
        user=str(users[0]) if users else None,
        item=str(bundle.items["item_id"][0]) if len(bundle.items) else general.item,
        category=next(iter(index.categories), general.category),
        experiment=experiments[0].id if experiments else general.experiment,
    )
