"""`GET /v1/models`: the champion, since when and why it answers, and what came before or was refused."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.bundles.promotion_log import read_promotion
from serving.bundles.served_bundle import ServedBundle
from serving.errors import JSON
from serving.tessera import Tessera


def model_routes(tessera: Tessera) -> list[Route]:
    """Create the routes. They need a secret key."""

    async def models(request: Request) -> Response:
        tessera.access.require_trusted(request)
        return JSON(describe_models(tessera))

    return [Route("/v1/models", models, methods=["GET"])]


def describe_models(tessera: Tessera) -> dict[str, Any]:
    """Describe the champion, the challenger and the canary that answer, and the promotion log, newest first."""
    log = tessera.promotion_log.entries()
    champion = _describe_bundle(tessera.champion)
    takeovers = [
        entry for entry in log if entry["event"] == "taken" and champion and entry["bundle"] == champion["bundle"]
    ]
    return {
        "champion": champion and {**champion, "since": takeovers[-1]["at"] if takeovers else None},
        "challenger": _describe_bundle(tessera.challenger) if tessera.challenger else None,
        "canary": _describe_bundle(tessera.canary) if tessera.canary else None,
        "log": log[::-1],
    }


def _describe_bundle(served: ServedBundle) -> dict[str, Any] | None:
    if served.index is None:
        return None
    bundle = served.index.bundle
    return {
        "bundle": bundle.version,
        "model_version": bundle.model_version,
        "as_of": bundle.as_of.isoformat(),
        "items": len(bundle.items),
        "users": len(bundle.users),
        "search": served.search_kind,
        "why": read_promotion(bundle.manifest),
    }
