"""Logs as JSON, one object on each line, without personal data: no ids, no addresses, no texts of requests."""

from __future__ import annotations

import datetime as dt
import logging
import traceback
from typing import Any

import orjson

FIELDS = ("route", "method", "status", "milliseconds", "trace_id", "bundle", "model_version")
LOGGERS = ("tessera", "serving")


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time, level, logger, message, the fields of `extra` in FIELDS, and an exception.

    The text of an exception may quote a request, so its class and its stack are logged and its text is not.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, None) is not None}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return orjson.dumps(line).decode()


def log_as_json(stream: Any = None) -> None:
    """Write the loggers of the service to `stream` (default: standard error) as JSON, and nowhere else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
