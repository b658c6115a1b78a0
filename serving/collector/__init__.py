"""The collector: any tracker's protocol in, the durable event log out."""

from serving.collector.collector import Collector
from serving.collector.routes import collector_routes

__all__ = ["Collector", "collector_routes"]
