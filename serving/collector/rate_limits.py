"""How much one key may send: a bucket of tokens a sender, refilled by the second."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from serving.token_bucket import TokenBucket

REMEMBERED_SENDERS = 50_000


class RateLimit:
    """Events that a sender may send: `per_second` in the long run, `burst` at once.

    Args:
        per_second: tokens that come back each second; 0 is no limit.
        burst: tokens of a full bucket.
        clock: seconds, monotonic.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self.burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, sender: str, events: int) -> float:
        """Take `events` tokens from a sender's bucket.

        Returns:
            0 if they were there; else the seconds until they will be, and none is taken.
        """
        if not self.per_second:
            return 0.0
        now = self._clock()
        bucket = self._buckets.pop(sender, None) or TokenBucket.full(self.per_second, self.burst, now)
        self._buckets[sender] = bucket
        if len(self._buckets) > REMEMBERED_SENDERS:
            self._buckets.popitem(last=False)
        wanted = min(events, self.burst)  # a batch larger than the bucket takes all of it
        missing = wanted - bucket.at(now)
        if missing > 0:
            return missing / self.per_second
        bucket.take(wanted)
        return 0.0
