"""The console without the rest of the service: for a home that only people look at."""

from __future__ import annotations

import datetime as dt

from starlette.applications import Starlette
from starlette.middleware import Middleware

from ml.keys.key_file import KeyFile
from serving.access import Access, KeyRegistry
from serving.admission.cors import Cors
from serving.admission.gate import Gate
from serving.console.routes import console_routes
from serving.errors import ERROR_HANDLERS
from serving.start import ServiceConfig


def console_application(config: ServiceConfig) -> Starlette:
    """Create the application; the same rules of access hold as on the service."""
    registry = KeyRegistry(config.keys, KeyFile(config.home))
    access = Access(registry, config.settings.collector.trusted_proxies)
    gate = Middleware(
        Gate,
        access=access,
        settings=config.settings,
        beacon_paths=(),
        cors=Cors(config.settings.collector.cors_origins, registry),
    )
    routes = console_routes(config, access, lambda: dt.datetime.now(dt.UTC))
    return Starlette(routes=routes, middleware=[gate], exception_handlers=ERROR_HANDLERS)
