"""`GET /v1/items/{item_id}/similar`."""

from __future__ import annotations

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON, ApiError
from serving.routes.bodies import read_number
from serving.tessera import Tessera


def item_routes(tessera: Tessera) -> list[Route]:
    """Create the routes."""

    async def similar(request: Request) -> Response:
        tessera.access.require_trusted(request)
        k = read_number(request, "k", tessera.settings.default_k, tessera.settings.max_k)
        return JSON(find_similar_items(tessera, request.path_params["item_id"], k))

    return [Route("/v1/items/{item_id:any_text}/similar", similar, methods=["GET"])]


def find_similar_items(tessera: Tessera, item: str, k: int) -> dict[str, object]:
    """Return items like one item: its neighbours in the model's factors, then what is opened after it.

    Raises:
        ApiError: 404, neither the bundle nor an event names the item.
    """
    tessera.catch_up()
    bundle, activity = tessera.champion, tessera.state.activity
    key = activity.keys.get(item)
    if key is None:
        raise ApiError(404, f"there is no item {item[:80]!r}", "item_id")
    near = bundle.scorer.similar_keys(key, 2 * k + 10)
    cosines = bundle.scorer.similarities(key, near)
    similar = [
        (activity.items[other], float(cosine), "similar")
        for other, cosine in zip(near.tolist()[:k], cosines.tolist()[:k], strict=True)
    ]
    included = {item, *(other for other, _, _ in similar)}
    keys, weights = activity.next.followers(key, activity.newest)
    for row in np.argsort(-weights[:, -1], kind="stable").tolist():
        follower = activity.items[int(keys[row])]
        if len(similar) < k and follower not in included:
            similar.append((follower, float(weights[row, -1]), "follows"))
            included.add(follower)
    return {
        "item_id": item,
        "items": [
            {"item_id": other, "rank": rank, "score": round(score, 6), "source": source}
            for rank, (other, score, source) in enumerate(similar[:k], start=1)
        ],
        "model_version": bundle.model_version,
    }
