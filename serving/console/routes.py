"""The routes of the console. They give pages for people, and are no part of the API's description."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ml.settings.serving import ConsoleSettings
from serving.access import Access
from serving.console.console_templates import ConsoleTemplates
from serving.console.current_bundle import BundleReader, CurrentBundle
from serving.console.kept_pages import KeptPage
from serving.console.languages import add_language, carry_language, chosen_language, language_of
from serving.console.live_stream import LiveStream
from serving.console.page_kinds import PageKind, PageRequest, ServiceQuestion
from serving.console.page_parts import ConsolePage, Sheet
from serving.console.page_thread import PageThread, ProcessorBudget
from serving.console.pages import PAGES
from serving.console.responses import HEADERS, KEPT, NO_SERVICE, NOBODY, OUTDATED, UNPUBLISHED, html
from serving.console.service_pages.people_directory import PeopleDirectory
from serving.console.sign_in.roles import Reader
from serving.console.sign_in.session import ConsoleSessions
from serving.console.static_files import MEDIA_TYPES, StaticFiles
from serving.console.view import View, read_view
from serving.errors import ApiError
from serving.routes.bodies import read_form
from serving.start import ServiceConfig
from serving.tessera import Tessera

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """The pages of a home.

    All of them are made on one thread of their own, which takes no more of a processor than the settings grant, so
    that however many people read them, answers of the service wait for no page. What a page asks of the service is
    answered where the service answers everybody.

    Args:
        config: Where the home lies.
        access: The keys.
        clock: The present time.
        tessera: The running service; None where the console is served alone.
    """

    def __init__(
        self,
        config: ServiceConfig,
        access: Access,
        clock: Callable[[], dt.datetime],
        tessera: Tessera | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._tessera = tessera
        self._people = PeopleDirectory(tessera) if tessera is not None else None
        self._bundles = BundleReader(config)
        self._templates = ConsoleTemplates()
        self._files = StaticFiles()
        self._live = LiveStream(config, clock)
        self._thread = PageThread(_make_budget(config.settings.serving.console) if tessera is not None else None)
        self._sessions = ConsoleSessions(
            config.home,
            access,
            config.settings.collector.trusted_proxies > 0,
            clock,
            config.settings.serving.console,
        )

    def routes(self) -> list[BaseRoute]:
        """Create the routes."""
        return [
            Route("/", self.start, methods=["GET"]),
            Route("/console", self.first_page, methods=["GET"]),
            Route("/console/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/console/sign-out", self.sign_out, methods=["POST"]),
            Route("/console/static/{version}/{name}", self.static, methods=["GET"]),
            Route("/console/audience/live", self.live, methods=["GET"]),
            Route("/console/{page}", self.page, methods=["GET"]),
            Route("/console/{page}/{sheet}.csv", self.csv, methods=["GET"]),
            Route("/console/{page}/part/{part}", self.part, methods=["GET"]),
            Route("/console/{page}/{action}", self.act, methods=["POST"]),
        ]

    async def start(self, request: Request) -> Response:
        """Lead to the console where no key is needed, else say what this is."""
        if not self._sessions.has_keys:
            self._sessions.read(request)
            return RedirectResponse("/console/overview")
        lines = ["This is a Tessera service: recommendations, decisions and experiments from behavioural events."]
        links = {"/console": "Console", "/docs": "Documentation of the API"}
        return html(self._templates.message("Tessera", lines, links, None, language_of(request)))

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
        answer.body = self._templates.sign_in(token, language_of(request), fault).encode()
        answer.headers["Content-Length"] = str(len(answer.body))
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        reader = self._sessions.read(request)
        if reader is not None and reader.has_session:
            form = await _read_form(request)
            self._sessions.check_form(request, form.get("csrf_token", ""), reader)
        answer = RedirectResponse("/console/sign-in", 303)
        self._sessions.sign_out(answer)
        return answer

    async def static(self, request: Request) -> Response:
        """Return a file that pages load. Its address changes with its content, so that browsers may keep it."""
        name = request.path_params["name"]
        if name not in MEDIA_TYPES:
            raise ApiError(404, f"the console has no file {name[:40]!r}")
        headers = {"Cache-Control": KEPT, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(await self._on_thread(lambda: self._files.read(name)), 200, headers, MEDIA_TYPES[name])
        packed = await self._on_thread(lambda: self._files.read_packed(name))
        # Pages are sent as they are: beside parts of an address, their compressed size would betray tokens.
        return Response(packed, 200, headers | {"Content-Encoding": "gzip"}, MEDIA_TYPES[name])

    async def page(self, request: Request) -> Response:
        """Show a page."""
        return await self._for_reader(request, self._show)

    async def csv(self, request: Request) -> Response:
        """Return the table of a sheet as CSV."""
        return await self._for_reader(request, self._download)

    async def live(self, request: Request) -> Response:
        """Send what happens now, as long as the reader stays and may read."""
        return await self._for_reader(request, self._send_live)

    async def part(self, request: Request) -> Response:
        """Return a part of a page that is loaded after it."""
        return await self._for_reader(request, self._load_part)

    async def act(self, request: Request) -> Response:
        """Do what a form of a page says."""
        return await self._for_reader(request, self._do)

    async def _for_reader(
        self, request: Request, answer: Callable[[Request, Reader], Awaitable[Response]]
    ) -> Response:
        """Answer who may read; say what is wrong on a page."""
        reader: Reader | None = None
        try:
            reader = self._sessions.read(request)
            if reader is None:
                return RedirectResponse("/console/sign-in", 303)
            return await answer(request, reader)
        except ApiError as error:
            if reader is None:
                raise
            lines, links = [error.message], {"/console/overview": "Overview"}
            title = {403: "You may not do this", 404: "There is no such page"}.get(
                error.status, "This cannot be shown"
            )
            text = self._templates.message(title, lines, links, reader, language_of(request))
            return html(carry_language(text, chosen_language(request)), error.status)

    async def _show(self, request: Request, reader: Reader) -> Response:
        answer, fault = await self._ask(_open_page(request, reader), request, reader)
        return await self._on_thread(lambda: self._render(request, reader, answer, fault))

    async def _download(self, request: Request, reader: Reader) -> Response:
        answer, fault = await self._ask(_open_page(request, reader), request, reader)
        return await self._on_thread(lambda: self._write_csv(request, reader, answer, fault))

    async def _load_part(self, request: Request, reader: Reader) -> Response:
        kind = _open_page(request, reader)
        part = kind.parts.get(request.path_params["part"])
        if part is None:
            raise ApiError(404, f"this page has no part {request.path_params['part'][:40]!r}")
        content = await part(self._question(request.query_params, reader))
        key, language, chosen = request.path_params["page"], language_of(request), chosen_language(request)
        return await self._on_thread(
            lambda: html(carry_language(self._templates.part(key, content, reader, language), chosen))
        )

    async def _send_live(self, request: Request, reader: Reader) -> Response:
        self._live.require_room()

        language = language_of(request)

        async def render(part: ConsolePage) -> str:
            return await self._on_thread(lambda: self._templates.part("audience", part, reader, language))

        messages = self._live.messages(lambda: self._sessions.read(request) is not None, render)
        headers = {**HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(messages, media_type="text/event-stream", headers=headers)

    async def _do(self, request: Request, reader: Reader) -> Response:
        kind = _find_page(request)
        form = await _read_form(request)
        self._sessions.check_form(request, form.pop("csrf_token", ""), reader)
        action = kind.actions.get(request.path_params["action"])
        if action is None:
            raise ApiError(404, f"this page does not do {request.path_params['action'][:40]!r}")
        reader.require(action.needs)
        answer = await action.run(self._question(form, reader))
        if isinstance(answer, ConsolePage):
            key, token_of = request.path_params["page"], self._sessions.token_of
            text = self._templates.outcome(key, answer, reader, token_of, language_of(request))
            return html(carry_language(text, chosen_language(request)))
        if "location" in answer.headers:
            answer.headers["location"] = add_language(answer.headers["location"], chosen_language(request))
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    async def _ask(self, kind: PageKind, request: Request, reader: Reader) -> tuple[Any, str]:
        """Ask the service what a page shows; return its answer, and why there is none."""
        if kind.ask is None:
            return None, ""
        if self._tessera is None:
            return None, NO_SERVICE
        try:
            return await kind.ask(self._question(request.query_params, reader)), ""
        except ApiError as error:
            if error.status == 403:
                raise
            return None, error.message

    def _question(self, query: Mapping[str, str], reader: Reader) -> ServiceQuestion:
        """Return a question to the running service.

        Raises:
            ApiError: 409, there is none beside this console.
        """
        if self._tessera is None or self._people is None:
            raise ApiError(409, NO_SERVICE)
        return ServiceQuestion(self._tessera, query, reader, self._people)

    def _render(self, request: Request, reader: Reader, answer: Any, fault: str) -> Response:
        """Make the HTML of a page, or take that of the reader before."""
        bundle, language, chosen = self._bundles.current(), language_of(request), chosen_language(request)
        if bundle is None or not bundle.tables.is_complete or bundle.tables.about["last_date"] is None:
            lines = UNPUBLISHED if bundle is None else NOBODY if bundle.tables.is_complete else OUTDATED
            text = self._templates.message("No figures yet", lines, {}, reader, language)
            return html(carry_language(text, chosen))
        key = request.path_params["page"]
        view, kept = self._make(key, request, bundle, reader, answer, fault)
        if language.code not in kept.texts:
            kept.texts[language.code] = self._templates.page(key, kept.page, bundle, view, reader, language)
        text = self._templates.fill_in(kept.texts[language.code], reader, self._sessions.token_of)
        return html(carry_language(text, chosen))

    def _write_csv(self, request: Request, reader: Reader, answer: Any, fault: str) -> Response:
        key, name = request.path_params["page"], request.path_params["sheet"]
        bundle = self._bundles.current()
        if bundle is None or not bundle.tables.is_complete or bundle.tables.about["last_date"] is None:
            raise ApiError(404, "there are no figures yet")
        kept = self._make(key, request, bundle, reader, answer, fault)[1]
        sheet: Sheet | None = next((each for each in kept.page.sheets if each.key == name), None)
        if sheet is None:
            raise ApiError(404, f"the page {key} has no table {name[:40]!r}")
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{key}-{sheet.key}.csv"'}
        return Response(sheet.as_csv(), media_type="text/csv", headers=headers)

    def _make(
        self, key: str, request: Request, bundle: CurrentBundle, reader: Reader, answer: Any, fault: str
    ) -> tuple[View, KeptPage]:
        kind, now = PAGES[key], self._clock()
        view = read_view(request.query_params, bundle.tables, kind.extra)

        def make() -> KeptPage:
            page_request = PageRequest(self._config, bundle, view, now, reader, answer, fault)
            return KeptPage(now.timestamp(), kind.build(page_request))

        if kind.kept_seconds == 0:
            return view, make()
        return view, bundle.kept.find_or_make(
            (key, view.query(), reader.likeness), kind.kept_seconds, now.timestamp(), make
        )

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await self._thread.run(work)


def console_routes(
    config: ServiceConfig, access: Access, clock: Callable[[], dt.datetime], tessera: Tessera | None = None
) -> list[BaseRoute]:
    """Create the routes of the console of a service, or of one that is served alone."""
    return Console(config, access, clock, tessera).routes()


def _make_budget(settings: ConsoleSettings) -> ProcessorBudget:
    return ProcessorBudget(settings.processor_share, settings.burst_seconds, time.monotonic())


def _find_page(request: Request) -> PageKind:
    name = request.path_params["page"]
    if name not in PAGES:
        raise ApiError(404, f"the console has no page {name[:40]!r}")
    return PAGES[name]


def _open_page(request: Request, reader: Reader) -> PageKind:
    """Return the page of the address, which the reader may see."""
    kind = _find_page(request)
    reader.require(kind.needs)
    return kind


async def _read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form, of which each has one value."""
    return {name: values[0] for name, values in (await read_form(request)).items()}
