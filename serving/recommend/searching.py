"""Arithmetic off the event loop: the search over all items, for all who wait together; the rankers' trees."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, I64
from ml.decisions.items.candidates import remembered_as
from ml.decisions.items.personal import Personal
from ml.decisions.ranker.features import Question
from serving.recommend.prepared import Prepared

MOST_TOGETHER = 16  # more make the first of them wait longer than the shared pass over the items saves


@dataclass(eq=False)  # a wish equals itself alone: vectors have no truth value
class _Wish:
    personal: Personal
    vector: F32
    remember_as: tuple[object, ...]
    done: asyncio.Future[None]


class Searching:
    """One thread that finds best items, and leaves them where ranking looks for them; another that scores."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._scoring = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._waiting: list[_Wish] = []
        self._task: asyncio.Task[None] | None = None

    async def prepare(self, question: Question, personal: Personal, user_row: int | None) -> None:
        """Return when the person's best items are remembered; at once where they are, or there is no model."""
        if question.vector is None or personal.nearest is None:
            return
        remember_as = remembered_as(question, user_row)
        if personal.is_remembered(remember_as):
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Wish(personal, question.vector, remember_as, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._search())
        await done

    async def score(self, prepared: Prepared) -> None:
        """Return when the candidates are scored; at once where that is no work."""
        if prepared.has_trees:
            await asyncio.get_running_loop().run_in_executor(self._scoring, lambda: prepared.base)

    def close(self) -> None:
        """Give the threads back."""
        self._thread.shutdown()
        self._scoring.shutdown()

    async def _search(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            first = self._waiting[0].personal
            group = [wish for wish in self._waiting if wish.personal is first][:MOST_TOGETHER]
            self._waiting = [wish for wish in self._waiting if wish not in group]
            search = loop.run_in_executor(self._thread, _found, first, [wish.vector for wish in group])
            await asyncio.wait([search])
            error = search.exception()
            for place, wish in enumerate(group):
                if error is None:
                    first.remember(wish.remember_as, search.result()[place])
                if not wish.done.done():  # its request may have been given up
                    wish.done.set_result(None) if error is None else wish.done.set_exception(error)


def _found(personal: Personal, vectors: list[F32]) -> list[I64]:
    assert personal.nearest is not None
    return personal.nearest.by_products(np.stack(vectors), personal.count)
