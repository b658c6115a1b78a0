"""What pages may take from the service: a share of a processor, however many people read."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.console.page_thread import PageThread, ProcessorBudget

SHARE, BURST = 0.1, 2.0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.001, 1)), min_size=1, max_size=60))
def test_over_any_time_pages_take_their_share_and_a_burst_at_most(pages):
    """Pages come after pauses, and take so much processor time each."""
    budget, now, spans = ProcessorBudget(SHARE, BURST, 0.0), 0.0, []
    for pause, seconds in pages:
        now += pause
        now += budget.find_wait(now)
        spans.append((now, seconds))
        now += seconds
        budget.spend(seconds, now)
    for place, (begin, _) in enumerate(spans):
        for stop, (end, last) in enumerate(spans[place:], start=place):
            taken = sum(seconds for _, seconds in spans[place:stop])  # what was taken before the last one began
            assert taken <= BURST + SHARE * (end - begin) + max(s for _, s in spans[: stop + 1]) + 1e-6
            assert last > 0


def test_after_a_quiet_time_a_page_waits_for_nothing():
    budget = ProcessorBudget(SHARE, BURST, 0.0)
    budget.spend(BURST + 0.5, 0.0)
    assert budget.find_wait(0.0) == pytest.approx(5.0)
    assert budget.find_wait(4.0) == pytest.approx(1.0)
    assert budget.find_wait(5.0) == pytest.approx(0.0)
    budget.find_wait(1_000.0)
    budget.spend(BURST, 1_000.0)
    assert budget.find_wait(1_000.0) == pytest.approx(0.0)


def test_work_is_done_on_one_thread_and_its_errors_reach_who_asked():
    async def ask():
        thread = PageThread(ProcessorBudget(0.5, 1.0, 0.0))
        names = await asyncio.gather(*(thread.run(lambda: threading.current_thread().name) for _ in range(5)))
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 // 0)
        return set(names), await thread.run(lambda: "after it")

    names, after = asyncio.run(ask())
    assert len(names) == 1
    assert names != {threading.current_thread().name}
    assert after == "after it"
