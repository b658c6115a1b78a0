"""The pages of the console by name, and how their content is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

from serving.console.audience import build_audience
from serving.console.behaviour import EXTRA, build_behaviour
from serving.console.current_bundle import CurrentBundle
from serving.console.experiments import build_experiments
from serving.console.operation import (
    alarms_sheet,
    build_health,
    build_models,
    experiments_sheet,
    model_sheet,
)
from serving.console.overview import build_overview
from serving.console.page_parts import ConsolePage
from serving.console.segments import build_segments
from serving.console.view import View
from serving.start import ServiceConfig

Build = Callable[[ServiceConfig, CurrentBundle, View, dt.datetime], ConsolePage]
MOST_KEPT = 100
"""Pages of a bundle that are kept; a page takes some hundred kilobytes."""


@dataclass(frozen=True)
class PageKind:
    """A page.

    Attributes:
        name: What the menu calls it.
        build: Makes its content.
        has_dates: Whether dates and filters change it.
        extra: What else its address may choose.
    """

    name: str
    build: Build
    has_dates: bool = True
    extra: tuple[str, ...] = ()


def _keep(build: Callable[[CurrentBundle, View], ConsolePage], bundle: CurrentBundle, view: View) -> ConsolePage:
    """Build what a page says of a bundle, once for all its readers with the same dates and filters."""
    key = (build.__name__, view.query())
    page = bundle.kept.pop(key, None) or build(bundle, view)
    bundle.kept[key] = page
    if len(bundle.kept) > MOST_KEPT:
        del bundle.kept[next(iter(bundle.kept))]
    return page


def _overview(config: ServiceConfig, bundle: CurrentBundle, view: View, now: dt.datetime) -> ConsolePage:
    page = _keep(build_overview, bundle, view)
    more = (alarms_sheet(config, bundle), experiments_sheet(config, now), model_sheet(bundle))
    return replace(page, sheets=[*page.sheets, *more])


PAGES = {
    "overview": PageKind("Overview", _overview),
    "behaviour": PageKind(
        "Behaviour", lambda config, bundle, view, now: _keep(build_behaviour, bundle, view), extra=EXTRA
    ),
    "audience": PageKind("Audience", lambda config, bundle, view, now: _keep(build_audience, bundle, view)),
    "segments": PageKind(
        "Segments", lambda config, bundle, view, now: _keep(build_segments, bundle, view), has_dates=False
    ),
    "experiments": PageKind(
        "Experiments",
        lambda config, bundle, view, now: build_experiments(config, bundle, now),
        has_dates=False,
    ),
    "models": PageKind("Models", lambda config, bundle, view, now: build_models(bundle), has_dates=False),
    "health": PageKind(
        "Health", lambda config, bundle, view, now: build_health(config, bundle, now), has_dates=False
    ),
}
