"""Watches what comes in and what models bring: what is usual, when a change is an alarm, and who carries it."""
