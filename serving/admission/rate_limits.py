"""Rate limits of senders: a token bucket for each sender, refilled continuously."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from serving.token_bucket import TokenBucket

REMEMBERED_SENDERS = 50_000


class RateLimit:
    """Limit a sender to `per_second` events a second on average and to `burst` at once.

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
            0 if the tokens were taken; else the seconds until they are available, and none are taken.
        """
        if not self.per_second:
            return 0.0
        now = self._clock()
        bucket = self._buckets.pop(sender, None) or TokenBucket.full(self.per_second, self.burst, now)
        self._buckets[sender] = bucket
        if len(self._buckets) > REMEMBERED_SENDERS:
            self._buckets.popitem(last=False)
        tokens = min(events, self.burst)  # a batch larger than the bucket takes all of it
        missing = tokens - bucket.at(now)
        if missing > 0:
            return missing / self.per_second
        bucket.take(tokens)
        return 0.0
