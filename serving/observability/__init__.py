"""Logs, metrics, traces and request observation."""
