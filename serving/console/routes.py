"""The routes of the console. They give pages for people, and are no part of the API's description."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serving.access import Access
from serving.console.console_templates import STATIC, ConsoleTemplates, read_style
from serving.console.current_bundle import BundleReader, CurrentBundle
from serving.console.page_parts import ConsolePage, Sheet
from serving.console.pages import PAGES
from serving.console.session import ConsoleSessions, Reader
from serving.console.view import View, read_view
from serving.errors import ApiError
from serving.start import ServiceConfig

T = TypeVar("T")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie",
}
STYLE = "console.css"
SCRIPTS = {"console.js", "echarts.js", "htmx.js"}
KEPT = "public, max-age=31536000, immutable"
MOST_FORM_BYTES = 10_000
UNPUBLISHED = [
    "Nothing is published yet, so there is nothing to show.",
    "Send events or ingest a file, then run `tessera materialize`: it builds the tables and publishes them.",
]
OUTDATED = [
    "The current bundle was published by an earlier version, without the tables that the console shows.",
    "Run `tessera materialize` to publish it anew.",
]
Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """The pages of a home.

    All of them are made on one thread of their own, so that however many people read them, answers of the service
    wait for no page but share one processor with it at most.

    Args:
        config: Where the home lies.
        access: The keys.
        clock: The present time.
    """

    def __init__(self, config: ServiceConfig, access: Access, clock: Callable[[], dt.datetime]) -> None:
        self._config = config
        self._clock = clock
        self._bundles = BundleReader(config)
        self._templates = ConsoleTemplates()
        self._packed: dict[str, bytes] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="console")
        self._sessions = ConsoleSessions(config.home, access, config.settings.collector.trusted_proxies > 0, clock)

    def routes(self) -> list[BaseRoute]:
        """Create the routes."""
        return [
            Route("/", self.start, methods=["GET"]),
            Route("/console", self.first_page, methods=["GET"]),
            Route("/console/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/console/sign-out", self.sign_out, methods=["POST"]),
            Route("/console/static/{version}/{name}", self.static, methods=["GET"]),
            Route("/console/{page}", self.page, methods=["GET"]),
            Route("/console/{page}/{sheet}.csv", self.csv, methods=["GET"]),
        ]

    async def start(self, request: Request) -> Response:
        """Lead to the console where no key is needed, else say what this is."""
        if not self._sessions.has_keys:
            self._sessions.read(request)
            return RedirectResponse("/console/overview")
        lines = ["This is a Tessera service: recommendations, decisions and experiments from behavioural events."]
        links = {"/console": "Console", "/docs": "Documentation of the API"}
        return self._html(self._templates.message("Tessera", lines, links, None))

    async def first_page(self, _: Request) -> Response:
        """Lead to the overview."""
        return RedirectResponse("/console/overview")

    async def sign_in(self, request: Request) -> Response:
        """Show the form of the sign-in, or take it."""
        if not self._sessions.has_keys:
            self._sessions.read(request)
            return RedirectResponse("/console/overview", 303)
        fault, status = "", 200
        if request.method == "POST":
            form = await _read_form(request)
            try:
                self._sessions.check_form(request, form.get("csrf_token", ""))
                overview = RedirectResponse("/console/overview", 303)
                self._sessions.sign_in(request, form.get("key", ""), overview)
                return overview
            except ApiError as error:
                fault, status = error.message, error.status
        answer = HTMLResponse(status_code=status, headers=HEADERS)
        token = self._sessions.new_form_token(request, answer)
        answer.body = self._templates.sign_in(token, fault).encode()
        answer.headers["Content-Length"] = str(len(answer.body))
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        reader = self._sessions.read(request)
        if reader is not None and self._sessions.has_keys:
            form = await _read_form(request)
            self._sessions.check_form(request, form.get("csrf_token", ""), reader)
        answer = RedirectResponse("/console/sign-in", 303)
        self._sessions.sign_out(answer)
        return answer

    async def static(self, request: Request) -> Response:
        """Return a file that pages load. Its address changes with its content, so that browsers may keep it."""
        name = request.path_params["name"]
        if name not in SCRIPTS and name != STYLE:
            raise ApiError(404, f"the console has no file {name[:40]!r}")
        headers = {"Cache-Control": KEPT, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
        media_type = "text/css" if name == STYLE else "text/javascript"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(await self._on_thread(lambda: _read_static(name)), 200, headers, media_type)
        if name not in self._packed:
            self._packed[name] = await self._on_thread(lambda: gzip.compress(_read_static(name)))
        # Pages are sent as they are: beside parts of an address, their compressed size would betray tokens.
        return Response(self._packed[name], 200, headers | {"Content-Encoding": "gzip"}, media_type)

    async def page(self, request: Request) -> Response:
        """Show a page."""
        return await self._for_reader(request, self._show)

    async def csv(self, request: Request) -> Response:
        """Return the table of a sheet as CSV."""
        return await self._for_reader(request, self._download)

    async def _for_reader(
        self, request: Request, answer: Callable[[Request, CurrentBundle, Reader], Response]
    ) -> Response:
        """Make an answer on the thread of the console for who may read it."""
        reader = self._sessions.read(request)
        if reader is None:
            return RedirectResponse("/console/sign-in", 303)
        try:
            return await self._on_thread(lambda: self._answer(request, reader, answer))
        except ApiError as error:
            lines, links = [error.message], {"/console/overview": "Overview"}
            title = "There is no such page" if error.status == 404 else "This cannot be shown"
            return self._html(self._templates.message(title, lines, links, reader), error.status)

    def _answer(
        self,
        request: Request,
        reader: Reader,
        answer: Callable[[Request, CurrentBundle, Reader], Response],
    ) -> Response:
        if request.path_params["page"] not in PAGES:
            raise ApiError(404, f"the console has no page {request.path_params['page'][:40]!r}")
        bundle = self._bundles.current()
        if bundle is None or not bundle.tables.is_complete:
            lines = UNPUBLISHED if bundle is None else OUTDATED
            return self._html(self._templates.message("No figures yet", lines, {}, reader))
        if bundle.tables.about["last_date"] is None:
            lines = ["Nobody has visited the site yet: the tables hold no visit that counts."]
            return self._html(self._templates.message("No figures yet", lines, {}, reader))
        return answer(request, bundle, reader)

    def _show(self, request: Request, bundle: CurrentBundle, reader: Reader) -> Response:
        key = request.path_params["page"]
        view, page = self._build(key, request, bundle)
        return self._html(self._templates.page(key, page, bundle, view, reader))

    def _download(self, request: Request, bundle: CurrentBundle, _: Reader) -> Response:
        key, name = request.path_params["page"], request.path_params["sheet"]
        page = self._build(key, request, bundle)[1]
        sheet: Sheet | None = next((each for each in page.sheets if each.key == name), None)
        if sheet is None:
            raise ApiError(404, f"the page {key} has no table {name[:40]!r}")
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{key}-{sheet.key}.csv"'}
        return Response(sheet.as_csv(), media_type="text/csv", headers=headers)

    def _build(self, key: str, request: Request, bundle: CurrentBundle) -> tuple[View, ConsolePage]:
        kind = PAGES[key]
        view = read_view(request.query_params, bundle.tables, kind.extra)
        return view, kind.build(self._config, bundle, view, self._clock())

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _html(self, text: str, status: int = 200) -> Response:
        return HTMLResponse(text, status, HEADERS)


def console_routes(config: ServiceConfig, access: Access, clock: Callable[[], dt.datetime]) -> list[BaseRoute]:
    """Create the routes of the console of a service."""
    return Console(config, access, clock).routes()


def _read_static(name: str) -> bytes:
    return read_style().encode() if name == STYLE else (STATIC / name).read_bytes()


async def _read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form.

    Raises:
        ApiError: 413, it is far larger than any form of the console; 422, it is no text.
    """
    body = await request.body()
    if len(body) > MOST_FORM_BYTES:
        raise ApiError(413, f"a form of the console has at most {MOST_FORM_BYTES} bytes")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise ApiError(422, "this is no form") from None
    return {name: values[0] for name, values in fields.items()}
