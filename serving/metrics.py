"""Prometheus metrics of the service, summed over its workers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

REGISTRY = CollectorRegistry()
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
STAGE_SECONDS = Histogram(
    "tessera_stage_seconds", "Time of one stage of an answer", ["stage"], registry=REGISTRY, buckets=SECONDS
)
REQUESTS = Counter("tessera_requests", "Requests answered", ["route", "status"], registry=REGISTRY)


def exposition() -> str:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY).decode()
