"""The routes of the visitor's own page. They give pages for people, and are no part of the API's description."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ml.erasure.receipts import ErasureReceipts
from ml.local_clock import find_zone
from ml.pages.templates import SHARED, page_templates
from ml.privacy.person_key import ids_of_key
from serving.errors import JSON, ApiError
from serving.privacy.erasure import erase
from serving.privacy.export import export_person, find_ids_of, read_events_of
from serving.privacy.person_description import describe_user, find_item_titles
from serving.privacy.person_ids import clean_key
from serving.privacy.personalization import may_personalize
from serving.privacy.preference_changes import set_preferences
from serving.routes.bodies import read_form
from serving.tessera import Tessera
from serving.visitor_page.content import Wording, describe_receipt, describe_visitor
from serving.visitor_page.history import describe_events, describe_shown, shown_items, split_history
from serving.visitor_page.languages import NAMES, choose_language, read_translations
from serving.visitor_page.preference_form import read_preferences
from serving.visitor_page.session import PageVisitor, make_visitor_sessions

FOLDER = Path(__file__).parent
STYLE = Markup(
    "".join(
        file.read_text(encoding="utf-8")
        for file in (SHARED / "page.css", FOLDER / "visitor_page.css", SHARED / "dark.css")
    )
)
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Act = Callable[[Request, PageVisitor, Mapping[str, list[str]]], Awaitable[Response]]
Show = Callable[[Request, PageVisitor], Awaitable[Response]]


class VisitorPage:
    """The page on which people see what is known of them, and change it.

    Args:
        tessera: The service.
    """

    def __init__(self, tessera: Tessera) -> None:
        self._tessera = tessera
        self._desk = ErasureReceipts(tessera.config.home)
        self._zone = find_zone(tessera.config.settings.warehouse.site_timezone)
        self._sessions = make_visitor_sessions(tessera)
        self._templates = page_templates(FOLDER / "templates", translates=True)
        self._reading = asyncio.Semaphore(1)  # the log is read for one visitor at a time
        # Who was erased has nothing here but the receipt.
        self._after_erasure: tuple[Show | Act, ...] = (self._show_receipt, self._set_language, self._close)

    def routes(self) -> list[BaseRoute]:
        """Create the routes."""
        return [
            Route("/me", self._shown(self._enter_or_show), methods=["GET"]),
            Route("/me/history", self._shown(self._show_history), methods=["GET"]),
            Route("/me/erased", self._shown(self._show_receipt), methods=["GET"]),
            Route("/me/language/{language}", self._shown(self._set_language), methods=["GET"]),
            Route("/me/preferences", self._done(self._set_preferences), methods=["POST"]),
            Route("/me/segment", self._done(self._judge_segment), methods=["POST"]),
            Route("/me/export", self._done(self._export), methods=["POST"]),
            Route("/me/erase", self._done(self._erase), methods=["POST"]),
            Route("/me/close", self._done(self._close), methods=["POST"]),
        ]

    def _shown(self, show: Show) -> Callable[[Request], Awaitable[Response]]:
        """Show a page to who may see it, or say on a page what is wrong."""

        async def answer(request: Request) -> Response:
            visitor: PageVisitor | None = None
            try:
                key = self._sessions.enter(request)
                if key:
                    entered = RedirectResponse("/me", 303, HEADERS)
                    self._sessions.begin(request, entered, clean_key(self._tessera, key))
                    return entered
                visitor = self._sessions.read(request)
                if visitor.receipt_id and show not in self._after_erasure:
                    return RedirectResponse("/me/erased", 303, HEADERS)
                return await show(request, visitor)
            except ApiError as error:
                return self._refuse(request, visitor, error)

        return answer

    def _done(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """Do what a form says for who may, or say on a page what is wrong."""

        async def answer(request: Request) -> Response:
            visitor: PageVisitor | None = None
            try:
                visitor = self._sessions.read(request)
                form = await read_form(request)
                visitor.check_form(next(iter(form.get("csrf_token", ())), ""))
                if visitor.receipt_id and act not in self._after_erasure:
                    return RedirectResponse("/me/erased", 303, HEADERS)
                return await act(request, visitor, form)
            except ApiError as error:
                return self._refuse(request, visitor, error)

        return answer

    async def _enter_or_show(self, request: Request, visitor: PageVisitor) -> Response:
        wording = self._wording(request, visitor)
        saved = wording.words.gettext("Saved.") if request.query_params.get("saved") == "yes" else ""
        return self._page(wording, visitor, saved=saved)

    async def _show_history(self, request: Request, visitor: PageVisitor) -> Response:
        tessera, wording = self._tessera, self._wording(request, visitor)
        async with self._reading:
            ids = await find_ids_of(tessera, visitor.key)
            events = await run_in_threadpool(read_events_of, tessera.config.home, ids)
        did, shown = split_history(events)
        titles = find_item_titles(tessera, shown_items(shown))
        return self._html(
            "visitor_history.html.j2",
            wording,
            visitor,
            events=describe_events(did, wording),
            shown=describe_shown(shown, titles, wording),
            total=len(did),
        )

    async def _show_receipt(self, request: Request, visitor: PageVisitor) -> Response:
        receipt = self._desk.receipt(visitor.receipt_id) if visitor.receipt_id else None
        if receipt is None:
            return RedirectResponse("/me", 303, HEADERS)
        wording = self._wording(request, visitor)
        say = wording.words.gettext
        return self._html(
            "visitor_message.html.j2",
            wording,
            visitor,
            heading=say("You are being forgotten"),
            lines=[
                say("This site's service has forgotten you already. The other places follow with its next run."),
                say("Number of the receipt: ") + visitor.receipt_id,
            ],
            places=describe_receipt(receipt, wording),
        )

    async def _set_language(self, request: Request, visitor: PageVisitor) -> Response:
        language = request.path_params["language"]
        if language not in NAMES:
            raise ApiError(404, f"there is no language {language[:20]!r}; there are {', '.join(NAMES)}")
        answer = RedirectResponse("/me", 303, HEADERS)
        self._sessions.keep(request, answer, visitor, language=language)
        return answer

    async def _set_preferences(
        self, request: Request, visitor: PageVisitor, form: Mapping[str, list[str]]
    ) -> Response:
        try:
            await set_preferences(self._tessera, visitor.key, read_preferences(form), is_preview=False)
            if "personalization" in form:
                await self._grant_where_needed(visitor.key)
        except ApiError as error:
            if error.status != 422:
                raise
            return self._page(
                self._wording(request, visitor), visitor, 422, fault=f"{error.field}: {error.message}"
            )
        return RedirectResponse("/me?saved=yes", 303, HEADERS)

    async def _grant_where_needed(self, key: str) -> None:
        """Grant the personalization that a person ticked, where no statement of theirs does so already."""
        state = self._tessera.state
        if may_personalize(state, self._tessera.champion, (key,), state.profile(key)):
            return
        await self._record(key, {"event_type": "consent_granted", "consent": ["analytics", "personalization"]})

    async def _judge_segment(self, _: Request, visitor: PageVisitor, form: Mapping[str, list[str]]) -> Response:
        described = describe_user(self._tessera, "", visitor.key)
        if described is not None and described["segment"]:
            agrees = form.get("agrees") == ["yes"]
            properties = {"segment": described["segment"], "agrees": agrees}
            await self._record(visitor.key, {"event_type": "segment_feedback", "properties": properties})
        return RedirectResponse("/me?saved=yes", 303, HEADERS)

    async def _export(self, _: Request, visitor: PageVisitor, __: Mapping[str, list[str]]) -> Response:
        tessera = self._tessera
        tessera.catch_up()
        async with self._reading:
            exported = await export_person(tessera, await find_ids_of(tessera, visitor.key))
        answer = JSON(exported)
        answer.headers.update({**HEADERS, "Content-Disposition": 'attachment; filename="my-data.json"'})
        return answer

    async def _erase(self, request: Request, visitor: PageVisitor, form: Mapping[str, list[str]]) -> Response:
        if form.get("sure") != ["yes"]:
            raise ApiError(422, "nothing was erased: tick the box to confirm", "sure")
        user_id, anonymous_id = ids_of_key(visitor.key)
        receipt = await erase(self._tessera, self._desk, user_id or anonymous_id or "", is_device=user_id is None)
        answer = RedirectResponse("/me/erased", 303, HEADERS)
        self._sessions.keep(request, answer, visitor, key="", receipt_id=receipt["receipt_id"])
        return answer

    async def _close(self, request: Request, visitor: PageVisitor, _: Mapping[str, list[str]]) -> Response:
        wording = self._wording(request, visitor)
        say = wording.words.gettext
        answer = self._html(
            "visitor_message.html.j2",
            wording,
            None,
            heading=say("This page is closed"),
            lines=[say("A link from the site opens it again.")],
            places=[],
        )
        self._sessions.end(answer)
        return answer

    async def _record(self, key: str, event: dict[str, Any]) -> None:
        user_id, anonymous_id = ids_of_key(key)
        now = self._tessera.clock().timestamp()
        person = {"user_id": user_id, "anonymous_id": anonymous_id, "occurred_at": now}
        refused = await self._tessera.collector.record([{**event, **person}])
        if refused:
            raise ApiError(422, refused[0].reason, refused[0].field)

    def _page(
        self, wording: Wording, visitor: PageVisitor, status: int = 200, *, saved: str = "", fault: str = ""
    ) -> HTMLResponse:
        content = describe_visitor(self._tessera, visitor.key, wording)
        return self._html("visitor.html.j2", wording, visitor, status, saved=saved, fault=fault, **content)

    def _refuse(self, request: Request, visitor: PageVisitor | None, error: ApiError) -> Response:
        wording = self._wording(request, visitor)
        say = wording.words.gettext
        return self._html(
            "visitor_message.html.j2",
            wording,
            visitor,
            error.status,
            heading=say("Open this page from the site") if error.status == 401 else say("This cannot be shown"),
            lines=[error.message],
            places=[],
        )

    def _wording(self, request: Request, visitor: PageVisitor | None) -> Wording:
        language = choose_language(request, visitor.language if visitor is not None else "")
        return Wording(read_translations(language), language, self._zone)

    def _html(
        self, template: str, wording: Wording, visitor: PageVisitor | None, status: int = 200, **content: Any
    ) -> HTMLResponse:
        words = wording.words
        shared = {"language": wording.language, "languages": NAMES, "visitor": visitor, "style": STYLE}
        functions = {"_": words.gettext, "gettext": words.gettext, "ngettext": words.ngettext}
        text = self._templates.get_template(template).render({**shared, **functions, **content})
        return HTMLResponse(text, status, HEADERS)


def visitor_page_routes(tessera: Tessera) -> list[BaseRoute]:
    """Create the routes of the visitor's own page."""
    return VisitorPage(tessera).routes()
