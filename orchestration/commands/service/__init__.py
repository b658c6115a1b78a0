"""Commands that run the service, and decide who may call it."""
