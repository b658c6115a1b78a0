"""What may be spent: tokens that come back with time, up to a bound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """A bucket that fills by itself.

    Attributes:
        per_second: tokens that come back each second.
        most: tokens of a full bucket.
        tokens: there at `filled_at`; below 0 where more was taken than there was.
        filled_at: seconds of any clock that only goes forward.
    """

    per_second: float
    most: float
    tokens: float
    filled_at: float

    @classmethod
    def full(cls, per_second: float, most: float, now: float) -> TokenBucket:
        """A bucket with all that it holds."""
        return cls(per_second, most, most, now)

    def at(self, now: float) -> float:
        """Fill up to this moment; the tokens that are there."""
        self.tokens = min(self.most, self.tokens + (now - self.filled_at) * self.per_second)
        self.filled_at = now
        return self.tokens

    def take(self, tokens: float) -> None:
        """Take tokens, those too that are still to come."""
        self.tokens -= tokens
