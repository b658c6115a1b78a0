"""OpenTelemetry traces: a span for each request, and below it one for each stage of the answer. Off by default."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ml.errors import TesseraError
from ml.settings.serving import TracesSettings

Stages = Sequence[tuple[str, float]]


class TracingError(TesseraError):
    """The exporter that the settings choose is not installed; the message says what to do."""


class Tracing:
    """Records the spans of one worker.

    Args:
        settings: Which exporter, its endpoint, and the share of the requests that is traced.
        file: What the exporter `file` appends to, one JSON object for each span.
    """

    def __init__(self, settings: TracesSettings, file: Path) -> None:
        self.settings = settings
        self._file = file
        self._provider: TracerProvider | None = None
        self._tracer: trace.Tracer = trace.NoOpTracer()
        self._propagator = TraceContextTextMapPropagator()

    @property
    def is_on(self) -> bool:
        """Whether anything is recorded."""
        return self._provider is not None

    def open(self) -> None:
        """Start to export.

        Raises:
            TracingError: The exporter is not installed.
        """
        if self.settings.exporter == "none":
            return
        sampler = ParentBased(TraceIdRatioBased(self.settings.share))
        provider = TracerProvider(sampler=sampler, resource=Resource.create({"service.name": "tessera"}))
        provider.add_span_processor(BatchSpanProcessor(self._exporter()))
        self._provider, self._tracer = provider, provider.get_tracer("tessera")

    def close(self) -> None:
        """Export the spans that wait."""
        if self._provider is not None:
            self._provider.shutdown()
            self._provider, self._tracer = None, trace.NoOpTracer()

    @contextmanager
    def trace_request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span]:
        """Open a span around one request; the caller's `traceparent` is its parent."""
        parent = self._propagator.extract(dict(headers))
        with self._tracer.start_as_current_span(method, context=parent, kind=SpanKind.SERVER) as span:
            yield span

    def record_stages(self, stages: Stages, facts: Mapping[str, Any]) -> None:
        """Record the spans of the answer that was just made.

        Args:
            stages: Name and seconds of each stage, in order.
            facts: Attributes of the request's span; None values are left out.
        """
        if self._provider is None:
            return
        trace.get_current_span().set_attributes(
            {name: value for name, value in facts.items() if value is not None}
        )
        at = time.time_ns() - int(sum(seconds for _, seconds in stages) * 1e9)
        for name, seconds in stages:
            span = self._tracer.start_span(name, start_time=at)
            at += int(seconds * 1e9)
            span.end(end_time=at)

    def _exporter(self) -> SpanExporter:
        if self.settings.exporter == "file":
            self._file.parent.mkdir(parents=True, exist_ok=True)
            stream = open(self._file, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  kept open
            return ConsoleSpanExporter(out=stream, formatter=lambda span: span.to_json(indent=None) + "\n")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  an extra
                OTLPSpanExporter,
            )
        except ImportError:
            raise TracingError(
                "serving.traces.exporter is otlp: install the extra, `pip install tessera[tracing]`"
            ) from None
        exporter: SpanExporter = OTLPSpanExporter(endpoint=self.settings.endpoint)
        return exporter
