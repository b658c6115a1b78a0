"""The event contract, its validation, and the append-only event log with its dead letters."""
