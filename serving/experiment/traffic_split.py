"""Splits people into shares, the same people every time."""

from __future__ import annotations

import hashlib


def traffic_position(user: str, purpose: str) -> float:
    """Return the position of a person in [0, 1) for a purpose, for example a rule, the same every time."""
    digest = hashlib.blake2b(f"{purpose}\x1f{user}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
