"""The ASGI application: every route of the API over one `Tessera`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware

from serving.admission.gate import Gate
from serving.browser.routes import browser_script_routes
from serving.collector import collector_routes
from serving.collector.routes import BEACON_PATHS
from serving.console import console_routes
from serving.demo_site import demo_routes
from serving.documentation.routes import documentation_routes
from serving.errors import ERROR_HANDLERS
from serving.observability.request_observer import RequestObserver
from serving.routes.experiments import experiment_routes
from serving.routes.health import health_routes
from serving.routes.items import item_routes
from serving.routes.models import model_routes
from serving.routes.onboarding import onboarding_routes
from serving.routes.online_learning import online_learning_routes
from serving.routes.recommendations import recommendation_routes
from serving.routes.users import user_routes
from serving.tessera import Tessera
from serving.upkeep.running_service import RunningService
from serving.visitor_page import visitor_page_routes


def application(tessera: Tessera) -> Starlette:
    """Create the application; its lifespan opens and closes the service."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = RunningService(tessera)
        await running.start()
        yield
        await running.stop()

    routes = [
        *recommendation_routes(tessera),
        *collector_routes(tessera.collector),
        *user_routes(tessera),
        *onboarding_routes(tessera),
        *item_routes(tessera),
        *experiment_routes(tessera),
        *online_learning_routes(tessera),
        *model_routes(tessera),
        *health_routes(tessera),
        *console_routes(tessera.config, tessera.access, tessera.clock, tessera),
        *visitor_page_routes(tessera),
        *demo_routes(tessera.config.home, tessera.config.settings),
        *browser_script_routes(),
        *documentation_routes(tessera),
    ]
    gate = Middleware(
        Gate,
        access=tessera.access,
        settings=tessera.config.settings,
        beacon_paths=BEACON_PATHS,
        cors=tessera.cors,
    )
    observer = Middleware(RequestObserver, tracing=tessera.tracing, settings=tessera.settings.logs, routes=routes)
    middleware = [observer, gate]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=ERROR_HANDLERS, lifespan=lifespan)
