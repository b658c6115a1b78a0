"""`/v1/online-learning`: what was learned between two trainings, and how to revert it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON
from serving.requests import Revert
from serving.routes.bodies import read_body
from serving.tessera import Tessera


def online_learning_routes(tessera: Tessera) -> list[Route]:
    """Create the routes. They need a secret key."""

    async def learned(request: Request) -> Response:
        tessera.access.require_trusted(request)
        return JSON(_describe_learning(tessera))

    async def revert(request: Request) -> Response:
        tessera.access.require_trusted(request)
        body = await read_body(request, Revert)
        tessera.recommendation_engine.online_learning.revert(body.steps)
        tessera.recommendation_engine.online_refit.drop()
        return JSON(_describe_learning(tessera))

    return [
        Route("/v1/online-learning", learned, methods=["GET"]),
        Route("/v1/online-learning/revert", revert, methods=["POST"]),
    ]


def _describe_learning(tessera: Tessera) -> dict[str, Any]:
    learning = tessera.recommendation_engine.online_learning
    current = learning.learner.snapshot(tessera.state.activity.items)
    return {
        "enabled": learning.settings.enabled,
        "is_refitted": tessera.recommendation_engine.online_refit.fresh is not None,
        "updates": current["updates"],
        "weights": dict(zip(current["features"], current["weights"], strict=True)),
        "biases": len(current["biases"]),
        "snapshots": [snapshot["updates"] for snapshot in learning.snapshots()],
    }
