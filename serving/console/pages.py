"""The pages of the console by name, how their content is made, and what they let people do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.responses import Response

from serving.console.current_bundle import CurrentBundle
from serving.console.figures.audience import build_audience
from serving.console.figures.behaviour import EXTRA, build_behaviour
from serving.console.figures.experiments import build_experiments
from serving.console.figures.operation import (
    alarms_sheet,
    build_health,
    build_models,
    experiments_sheet,
    model_sheet,
)
from serving.console.figures.overview import build_overview
from serving.console.figures.segments import build_segments
from serving.console.page_parts import ConsolePage
from serving.console.sign_in.roles import Action, Reader
from serving.console.view import View
from serving.start import ServiceConfig
from serving.tessera import Tessera


@dataclass(frozen=True)
class PageRequest:
    """What a page is made from.

    Attributes:
        config: Where the home lies.
        bundle: The current bundle.
        view: What the address chooses.
        now: The present time.
        reader: Who reads.
        answer: What the running service said, where the page asks it.
        fault: Why it said nothing; empty if it did.
    """

    config: ServiceConfig
    bundle: CurrentBundle
    view: View
    now: dt.datetime
    reader: Reader
    answer: Any = None
    fault: str = ""


@dataclass(frozen=True)
class ServiceQuestion:
    """What a page asks of the running service.

    Attributes:
        tessera: The service.
        query: The query of the address, or the fields of a form.
        reader: Who asks.
    """

    tessera: Tessera
    query: Mapping[str, str]
    reader: Reader


Build = Callable[[PageRequest], ConsolePage]
Ask = Callable[[ServiceQuestion], Awaitable[Any]]
Run = Callable[[ServiceQuestion], Awaitable[Response]]


@dataclass(frozen=True)
class PageAction:
    """What a form of a page does.

    Attributes:
        run: Does it, and returns the answer.
        needs: What the reader has to be allowed.
    """

    run: Run
    needs: Action | None


@dataclass(frozen=True)
class PageKind:
    """A page.

    Attributes:
        name: What the menu calls it.
        build: Makes its content, on the thread of the console.
        has_dates: Whether dates and filters change it.
        extra: What else its address may choose.
        ask: What it asks of the running service, on the service's own thread; None for nothing.
        needs: What the reader has to be allowed.
        actions: What its forms do, by their names in addresses.
        kept_seconds: How long its content may be shown again; None as long as the bundle is current, 0 not at all.
    """

    name: str
    build: Build
    has_dates: bool = True
    extra: tuple[str, ...] = ()
    ask: Ask | None = None
    needs: Action | None = None
    actions: Mapping[str, PageAction] = field(default_factory=dict)
    kept_seconds: float | None = 0


def _overview(request: PageRequest) -> ConsolePage:
    page = build_overview(request.bundle, request.view)
    more = (
        alarms_sheet(request.config, request.bundle),
        experiments_sheet(request.config, request.now),
        model_sheet(request.bundle),
    )
    return replace(page, sheets=[*page.sheets, *more])


def _of_bundle(build: Callable[[CurrentBundle, View], ConsolePage]) -> Build:
    """Return how a page is made that depends on the bundle and the address alone."""
    return lambda request: build(request.bundle, request.view)


LIVE_SECONDS = 5.0
"""How old may be what pages say of alarms, experiments and the journal."""
PAGES = {
    "overview": PageKind("Overview", _overview, kept_seconds=LIVE_SECONDS),
    "behaviour": PageKind("Behaviour", _of_bundle(build_behaviour), extra=EXTRA, kept_seconds=None),
    "audience": PageKind("Audience", _of_bundle(build_audience), kept_seconds=None),
    "segments": PageKind("Segments", _of_bundle(build_segments), has_dates=False, kept_seconds=None),
    "experiments": PageKind(
        "Experiments",
        lambda request: build_experiments(request.config, request.bundle, request.now),
        has_dates=False,
        kept_seconds=LIVE_SECONDS,
    ),
    "models": PageKind(
        "Models", lambda request: build_models(request.bundle), has_dates=False, kept_seconds=LIVE_SECONDS
    ),
    "health": PageKind(
        "Health",
        lambda request: build_health(request.config, request.bundle, request.now),
        has_dates=False,
        kept_seconds=LIVE_SECONDS,
    ),
}
