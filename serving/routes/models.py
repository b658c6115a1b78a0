"""`GET /v1/models`: which champion answers, since when and why; what came before, and what was refused."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.bundles.promotions import why
from serving.errors import JSON
from serving.recommend.ranking import Ranking
from serving.tessera import Tessera


def model_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file. They need a secret key."""

    async def models(request: Request) -> Response:
        tessera.access.trusted(request)
        return JSON(models_of(tessera))

    return [Route("/v1/models", models, methods=["GET"])]


def models_of(tessera: Tessera) -> dict[str, Any]:
    """Champion and challenger as they answer now, and the promotion log, newest first."""
    log = tessera.promotions.entries()
    now = _told(tessera.ranking)
    taken = [entry for entry in log if entry["event"] == "taken" and now and entry["bundle"] == now["bundle"]]
    return {
        "champion": now and {**now, "since": taken[-1]["at"] if taken else None},
        "challenger": _told(tessera.challenger) if tessera.challenger else None,
        "log": log[::-1],
    }


def _told(ranking: Ranking) -> dict[str, Any] | None:
    if ranking.shelf is None:
        return None
    bundle = ranking.shelf.bundle
    return {
        "bundle": bundle.version,
        "model_version": bundle.model_version,
        "as_of": bundle.as_of.isoformat(),
        "items": len(bundle.items),
        "users": len(bundle.users),
        "search": ranking.search,
        "why": why(bundle.manifest),
    }
