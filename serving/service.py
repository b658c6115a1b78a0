"""The BentoML service: the API's application, in front of the routes that BentoML serves itself."""

# ruff: noqa: E402
from __future__ import annotations

from serving.upkeep.worker_memory import keep_small

keep_small()  # before anything is loaded

# isort: split
import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from ml.errors import TesseraError
from ml.events.log import EventLog
from ml.privacy.home_checks import open_home
from serving.admission.connections import limit_connections
from serving.application import application
from serving.observability.logs import log_as_json
from serving.start import ignore_forwarded_headers, read_service_config
from serving.tessera import Tessera
from serving.upkeep.garbage import freeze_long_lived_objects
from serving.upkeep.running_service import RunningService


def _open_service() -> Tessera:
    """Read the configuration and check the home.

    Raises:
        SystemExit: Something is wrong that a person can act on; the message says what.
    """
    try:
        config = read_service_config()
        open_home(config.home)
        EventLog(config.home).parts()
        return Tessera(config)
    except TesseraError as error:
        raise SystemExit(f"The service cannot start: {error}") from None


log_as_json()
ignore_forwarded_headers()
TESSERA = _open_service()
CONFIG = TESSERA.config
API = application(TESSERA)
RUNNING = RunningService(TESSERA)
limit_connections(CONFIG.settings.serving.limits)


class ApiMiddleware:
    """Passes requests to the API before BentoML's own routes, whose health checks ignore bundles."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HTTP from the API, and leave start and stop to BentoML."""
        if scope["type"] == "http":
            await API(scope, receive, send)
        else:
            await self.app(scope, receive, send)


@bentoml.service(
    name="tessera",
    workers=CONFIG.settings.serving.workers,
    http={"port": CONFIG.settings.ports.service},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    traffic={"timeout": 60},
)
class TesseraService:
    """Recommendations and decisions from behavioural events."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def open(self) -> None:
        """Open the state and the collector, and load the bundle."""
        await RUNNING.start()
        freeze_long_lived_objects()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def close(self) -> None:
        """Write what was accepted, and release everything."""
        await RUNNING.stop()


TesseraService.add_asgi_middleware(ApiMiddleware)  # type: ignore[attr-defined]
