"""The collector: accepts events in the protocols of several trackers and writes them to the event log."""

from serving.collector.collector import Collector
from serving.collector.routes import collector_routes

__all__ = ["Collector", "collector_routes"]
