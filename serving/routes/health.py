"""`/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.errors import JSON, error_answer
from serving.observability.metrics import render_metrics
from serving.observability.readiness import Readiness
from serving.tessera import Tessera


def health_routes(tessera: Tessera) -> list[Route]:
    """Create the routes. They name nobody and need no key."""
    readiness = Readiness(tessera)

    async def alive(_: Request) -> Response:
        return JSON({"alive": True})

    async def ready(_: Request) -> Response:
        reason = readiness.find_fault()
        if reason is not None:
            return error_answer(503, reason)
        return JSON(
            {
                "ready": True,
                "bundle": tessera.champion.bundle_version,
                "model_version": tessera.champion.model_version,
            }
        )

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(render_metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [
        Route("/livez", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
