"""Calls of the service without a server: open it, take steps, close it."""

import asyncio
import dataclasses

from bundles import AS_OF

from serving.recommend.answers import answer
from serving.requests import RecommendationRequest
from serving.tessera import Tessera
from serving.upkeep.running_service import RunningService


def ask(config, *steps, seed=1):
    """Open a service, await each step with it, close it; returns the last answer."""

    async def run():
        tessera = Tessera(config, clock=lambda: AS_OF, seed=seed)
        running = RunningService(tessera)
        await running.start()
        try:
            result = None
            for step in steps:
                result = step(tessera)
                if asyncio.iscoroutine(result):
                    result = await result
            return result
        finally:
            await running.stop()

    return asyncio.run(run())


def recommend(**fields):
    return lambda tessera: answer(tessera, RecommendationRequest(**fields))


def post(*events):
    return lambda tessera: tessera.collector.record(
        [{"event_type": "page_view", "occurred_at": AS_OF.isoformat(), **event} for event in events]
    )


def ids(reply):
    return [item["item_id"] for item in reply["items"]]


def without_exploration(config, **serving):
    """Return a configuration whose answers have no drawn items, no category caps, and all the time they need."""
    decisions = config.settings.decisions
    diversity = decisions.diversity.model_copy(update={"exploration_share": 0.0, "max_category_share": 1.0})
    settings = config.settings.model_copy(
        update={
            "decisions": decisions.model_copy(update={"diversity": diversity}),
            "serving": config.settings.serving.model_copy(update={"budget_ms": 10_000.0, **serving}),
        }
    )
    return dataclasses.replace(config, settings=settings)
