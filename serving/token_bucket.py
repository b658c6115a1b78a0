"""A token bucket: an allowance that refills with time, up to a bound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """A bucket that refills with time.

    Attributes:
        per_second: Tokens that are added each second.
        most: Tokens of a full bucket.
        tokens: Tokens at `filled_at`, below 0 if more was taken than there was.
        filled_at: Seconds of any clock that only goes forward.
    """

    per_second: float
    most: float
    tokens: float
    filled_at: float

    @classmethod
    def full(cls, per_second: float, most: float, now: float) -> TokenBucket:
        """Create a full bucket."""
        return cls(per_second, most, most, now)

    def at(self, now: float) -> float:
        """Refill the bucket up to this time and return its tokens."""
        self.tokens = min(self.most, self.tokens + (now - self.filled_at) * self.per_second)
        self.filled_at = now
        return self.tokens

    def take(self, tokens: float) -> None:
        """Take tokens, even those that are still to come."""
        self.tokens -= tokens
