"""Runs arithmetic beside the event loop: the search over all items, and the rankers' trees."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, I64
from ml.decisions.items.personal_scorer import PersonalScorer
from serving.recommend.candidates import ScoredCandidates
from serving.recommend.context import RequestContext

LARGEST_BATCH = 16  # more make the first of them wait longer than the shared pass over the items saves


@dataclass(eq=False)  # compared by identity: vectors have no truth value
class _PendingSearch:
    scorer: PersonalScorer
    vector: F32
    cache_key: Hashable
    done: asyncio.Future[None]


class SearchPool:
    """One thread that searches for all waiting requests together, and one that scores."""

    def __init__(self) -> None:
        self._search_thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._score_thread = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._pending: list[_PendingSearch] = []
        self._task: asyncio.Task[None] | None = None

    async def search(self, context: RequestContext) -> None:
        """Search the person's best items and cache them in the scorer.

        Returns at once if they are cached, or if there is no model.
        """
        scorer = context.bundle.scorer
        if context.vector is None or scorer.factor_index is None:
            return
        cache_key = context.cache_key
        if scorer.is_cached(cache_key):
            return
        done = asyncio.get_running_loop().create_future()
        self._pending.append(_PendingSearch(scorer, context.vector, cache_key, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        await done

    async def score(self, candidates: ScoredCandidates) -> None:
        """Compute the base scores of the candidates; returns at once if that is no work."""
        if candidates.has_trees:
            await asyncio.get_running_loop().run_in_executor(self._score_thread, lambda: candidates.base_scores)

    def close(self) -> None:
        """Stop the threads."""
        self._search_thread.shutdown()
        self._score_thread.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            scorer = self._pending[0].scorer
            batch = [pending for pending in self._pending if pending.scorer is scorer][:LARGEST_BATCH]
            self._pending = [pending for pending in self._pending if pending not in batch]
            vectors = [pending.vector for pending in batch]
            search = loop.run_in_executor(self._search_thread, _search_best, scorer, vectors)
            await asyncio.wait([search])
            error = search.exception()
            for number, pending in enumerate(batch):
                if error is None:
                    scorer.cache_best(pending.cache_key, search.result()[number])
                if not pending.done.done():  # its request may have been cancelled
                    pending.done.set_result(None) if error is None else pending.done.set_exception(error)


def _search_best(scorer: PersonalScorer, vectors: list[F32]) -> list[I64]:
    assert scorer.factor_index is not None
    return scorer.factor_index.by_products(np.stack(vectors), scorer.count)
