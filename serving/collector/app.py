"""The collector as a separate application, for sites that run it on a separate machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml.home import Home
from ml.settings import Settings
from serving.access import Keys
from serving.admission.gate import Gate
from serving.collector.collector import Collector
from serving.collector.routes import BEACON_PATHS, collector_routes
from serving.errors import ERROR_HANDLERS, JSON
from serving.start import read_service_config


def collector_app(
    home: Home, settings: Settings, keys: Keys | None = None, identity_secrets: Sequence[str] = ()
) -> Starlette:
    """An ASGI application with the collector's routes and `/livez`; the collector is at `app.state.collector`."""
    collector = Collector(home, settings, keys or Keys(), identity_secrets)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await collector.start()
        try:
            yield
        finally:
            await collector.close()

    async def livez(_: Request) -> Response:
        return JSON({"counts": asdict(collector.counts), "queued": collector.queued})

    gate = Middleware(
        Gate, access=collector.access, settings=settings, beacon_paths=BEACON_PATHS, cors=collector.cors
    )
    routes = [*collector_routes(collector), Route("/livez", livez)]
    app = Starlette(routes=routes, middleware=[gate], exception_handlers=ERROR_HANDLERS, lifespan=lifespan)
    app.state.collector = collector
    return app


def from_environment() -> Starlette:
    """Create the application for `uvicorn --factory --no-proxy-headers serving.collector.app:from_environment`.

    Without `--no-proxy-headers` uvicorn would believe `X-Forwarded-For` from this machine, whatever the setting
    `collector.trusted_proxies` says.
    """
    config = read_service_config()
    return collector_app(config.home, config.settings, config.keys, config.identity_secrets)
