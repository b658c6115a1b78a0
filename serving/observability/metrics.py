"""The Prometheus metrics of the service, summed over its workers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REGISTRY = CollectorRegistry()
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
STAGE_SECONDS = Histogram(
    "tessera_stage_seconds", "Time of one stage of an answer", ["stage"], registry=REGISTRY, buckets=SECONDS
)
REQUEST_SECONDS = Histogram(
    "tessera_request_seconds",
    "Time of a whole request, by the pattern of its path",
    ["route", "method", "status"],
    registry=REGISTRY,
    buckets=SECONDS,
)
STAGES_SKIPPED = Counter(
    "tessera_stages_skipped", "Stages that the time budget had no room for", ["stage"], registry=REGISTRY
)
ANSWERS = Counter(
    "tessera_answers",
    "Answers given, by the model and its role",
    ["route", "model_version", "role"],
    registry=REGISTRY,
)
FALLBACKS = Counter(
    "tessera_fallbacks", "Answers by the first step of the chain that filled a place", ["step"], registry=REGISTRY
)
CACHE = Counter(
    "tessera_cache", "Lookups of a person's or item's best items: hit or miss", ["result"], registry=REGISTRY
)
COVERAGE = Gauge(
    "tessera_catalogue_coverage",
    "Share of the bundle's items that the latest answers showed",
    registry=REGISTRY,
    multiprocess_mode="max",
)
QUARANTINED = Counter(
    "tessera_quarantined", "Events that broke a fold and were set aside, by the fold", ["where"], registry=REGISTRY
)
SWAPS = Counter("tessera_bundle_swaps", "Bundles taken over", registry=REGISTRY)
COLLECTED = Counter(
    "tessera_collector_events", "Events that arrived, by what became of them", ["outcome"], registry=REGISTRY
)
DEAD_LETTERS = Counter(
    "tessera_collector_dead_letters",
    "Events that were rejected, by the field at fault",
    ["field"],
    registry=REGISTRY,
)
PLACEHOLDER_IDS = Counter(
    "tessera_collector_placeholder_ids",
    "Ids such as `null` or `undefined` that arrived and were removed, by field and sender",
    ["field", "sender"],
    registry=REGISTRY,
)
MODEL_AGE_SECONDS = Gauge(
    "tessera_model_age_seconds", "Age of the data behind the bundle", registry=REGISTRY, multiprocess_mode="max"
)
BUNDLE_AGE_SECONDS = Gauge(
    "tessera_bundle_age_seconds",
    "Time since the bundle that answers was published",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
OPEN_ALARMS = Gauge(
    "tessera_open_alarms",
    "Alarms of monitoring that nobody acknowledged",
    ["severity"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)

RESIDENT_BYTES = Gauge(
    "tessera_resident_bytes",
    "Memory that the workers hold in RAM; about 0.6 GiB, and 1.6 GiB a million items of 64 factors",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)


def render_metrics() -> str:
    """Return all metrics in Prometheus' text format, those of all workers if several share a folder for them."""
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # a single process shares nothing
        registry = REGISTRY
    return generate_latest(registry).decode()
