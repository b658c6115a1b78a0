"""A small site that tracks itself, for trying things out: pages under /demo, the tracker from npm."""

from serving.demo_site.routes import demo_routes

__all__ = ["demo_routes"]
