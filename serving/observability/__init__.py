"""Logs, metrics, traces and the observation of requests."""
