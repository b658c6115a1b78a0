"""Counts in messages."""


def count_noun(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s unless the number is one: `1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
