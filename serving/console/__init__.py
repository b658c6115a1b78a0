"""The console: pages about the site for people, from the published tables of the current bundle."""

from serving.console.routes import console_routes as console_routes
