"""`/v1/online-learning`: what was learned between two trainings, and the way back."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON
from serving.requests import Revert
from serving.routes.bodies import body_as
from serving.tessera import Tessera


def learning_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file. They need a secret key."""

    async def learned(request: Request) -> Response:
        tessera.access.trusted(request)
        return JSON(_told(tessera))

    async def revert(request: Request) -> Response:
        tessera.access.trusted(request)
        wanted = await body_as(request, Revert)
        tessera.recommending.learning.go_back(wanted.steps)
        tessera.recommending.refitting.drop()
        return JSON(_told(tessera))

    return [
        Route("/v1/online-learning", learned, methods=["GET"]),
        Route("/v1/online-learning/revert", revert, methods=["POST"]),
    ]


def _told(tessera: Tessera) -> dict[str, Any]:
    learning = tessera.recommending.learning
    now = learning.learner.snapshot(tessera.state.activity.items)
    return {
        "enabled": learning.settings.enabled,
        "is_refitted": tessera.recommending.refitting.fresh is not None,
        "updates": now["updates"],
        "weights": dict(zip(now["features"], now["weights"], strict=True)),
        "biases": len(now["biases"]),
        "snapshots": [snapshot["updates"] for snapshot in learning.snapshots()],
    }
