"""What the forms of the page People do: look a person up, export them, link to their own page, erase them."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from ml.erasure.receipts import ErasureReceipts
from ml.privacy.person_key import ids_of_key
from serving.console.localized_texts import say
from serving.console.page_kinds import PageAction, ServiceQuestion
from serving.console.page_parts import Cell, ConsolePage, Sheet
from serving.console.service_pages.people_directory import LookLog
from serving.errors import JSON, ApiError
from serving.privacy.erasure import erase
from serving.privacy.export import export_person, find_ids_of
from serving.visitor_page.session import LINK_HOURS, make_visitor_sessions


def look_up_action(page: str) -> PageAction:
    """Return what leads from an id to what a page shows of the person."""

    async def look_up(question: ServiceQuestion) -> Response:
        pseudonym = question.people.look_up(question.query.get("user_id", ""), question.query.get("id_type", ""))
        return RedirectResponse(f"/console/{page}?person={pseudonym}", 303)

    return PageAction(look_up, "people")


async def export(question: ServiceQuestion) -> Response:
    """Return everything that is held of a person."""
    tessera, pseudonym = question.tessera, question.query.get("person", "")
    key = await question.people.find_key(pseudonym)
    LookLog(tessera.config.home).record(question.reader, "exported", pseudonym, tessera.clock())
    tessera.catch_up()
    exported = await export_person(tessera, await find_ids_of(tessera, key))
    answer = JSON(exported)
    answer.headers["Content-Disposition"] = f'attachment; filename="person-{pseudonym[:8]}.json"'
    return answer


async def link_to_page(question: ServiceQuestion) -> ConsolePage:
    """Make a link to a person's own page."""
    tessera, pseudonym = question.tessera, question.query.get("person", "")
    key = await question.people.find_key(pseudonym)
    LookLog(tessera.config.home).record(question.reader, "made a link", pseudonym, tessera.clock())
    address = make_visitor_sessions(tessera).make_link(key)
    days = say("It opens the page for {days} days, to whoever has it.", days=f"{LINK_HOURS / 24:g}")
    rows: list[list[Cell]] = [[address]]
    sheet = Sheet("link", "Their own page", ["Address, after that of the service"], rows, days, links=[address])
    return ConsolePage(sheets=[sheet])


async def erase_person(question: ServiceQuestion) -> Response:
    """Erase a person, and lead to the receipt.

    Raises:
        ApiError: 422, the reader did not say that they are sure.
    """
    tessera, pseudonym = question.tessera, question.query.get("person", "")
    if question.query.get("sure") != "yes":
        raise ApiError(422, "nothing was erased: tick the box to confirm", "sure")
    key = await question.people.find_key(pseudonym)
    LookLog(tessera.config.home).record(question.reader, "erased", pseudonym, tessera.clock())
    user_id, anonymous_id = ids_of_key(key)
    desk = ErasureReceipts(tessera.config.home)
    receipt = await erase(tessera, desk, user_id or anonymous_id or "", is_device=user_id is None)
    return RedirectResponse(f"/console/privacy?receipt={receipt['receipt_id']}", 303)
