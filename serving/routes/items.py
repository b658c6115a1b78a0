"""`GET /v1/items/{item_id}/similar`."""

from __future__ import annotations

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.errors import JSON, ApiError
from serving.tessera import Tessera


def item_routes(tessera: Tessera) -> list[Route]:
    """Routes of this file."""

    async def similar(request: Request) -> Response:
        tessera.access.trusted(request)
        k = whole_number(request, "k", tessera.settings.default_k, tessera.settings.max_k)
        return JSON(similar_items(tessera, request.path_params["item_id"], k))

    return [Route("/v1/items/{item_id:path}/similar", similar, methods=["GET"])]


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    """A number from the query.

    Raises:
        ApiError: 422, it is none, or outside 1 … most.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ApiError(422, f"{name} is {text[:40]!r}; a whole number from 1 to {most} is needed", name)
    return int(text)


def similar_items(tessera: Tessera, item: str, k: int) -> dict[str, object]:
    """Items like one item: neighbours in the model's factors, else what is opened after it, else its category.

    Raises:
        ApiError: 404, neither bundle nor events know the item.
    """
    ranking, activity = tessera.ranking, tessera.state.activity
    tessera.state.catch_up()
    key = activity.keys.get(item)
    if key is None:
        raise ApiError(404, f"there is no item {item[:80]!r}", "item_id")
    near = ranking.personal.similar(key, 2 * k + 10)
    cosines = ranking.personal.likeness(key, near)
    found = [
        (activity.items[other], float(value), "similar")
        for other, value in zip(near.tolist()[:k], cosines.tolist()[:k], strict=True)
    ]
    taken = {item, *(other for other, _, _ in found)}
    keys, weights = activity.next.after(key, activity.newest)
    for place in np.argsort(-weights[:, -1], kind="stable").tolist():
        if len(found) < k and activity.items[int(keys[place])] not in taken:
            found.append((activity.items[int(keys[place])], float(weights[place, -1]), "follows"))
            taken.add(found[-1][0])
    return {
        "item_id": item,
        "items": [
            {"item_id": other, "rank": rank, "score": round(score, 6), "source": source}
            for rank, (other, score, source) in enumerate(found[:k], start=1)
        ],
        "model_version": ranking.model_version,
    }
