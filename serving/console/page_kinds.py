"""What a page of the console is: how its content is made, what it asks of the service, and what its forms do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from serving.console.current_bundle import CurrentBundle
from serving.console.page_parts import ConsolePage
from serving.console.service_pages.people_directory import PeopleDirectory
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
        people: The people under their pseudonyms.
    """

    tessera: Tessera
    query: Mapping[str, str]
    reader: Reader
    people: PeopleDirectory

    def read(self, *names: str) -> dict[str, str]:
        """Return fields by name, without spaces around them; empty where one is missing."""
        return {name: self.query.get(name, "").strip() for name in names}


Build = Callable[[PageRequest], ConsolePage]
Ask = Callable[[ServiceQuestion], Awaitable[Any]]
Run = Callable[[ServiceQuestion], Awaitable[Response | ConsolePage]]
Load = Callable[[ServiceQuestion], Awaitable[ConsolePage]]


@dataclass(frozen=True)
class PageAction:
    """What a form of a page does.

    Attributes:
        run: Does it, and returns where it leads, or what came of it.
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
        parts: What is loaded after it, by the names of the parts.
        kept_seconds: How long its content may be shown again; None as long as the bundle is current, 0 not at all.
    """

    name: str
    build: Build
    has_dates: bool = True
    extra: tuple[str, ...] = ()
    ask: Ask | None = None
    needs: Action | None = None
    actions: Mapping[str, PageAction] = field(default_factory=dict)
    parts: Mapping[str, Load] = field(default_factory=dict)
    kept_seconds: float | None = 0
