"""The page Privacy: consent, requests and receipts, retention, the record of processing, and what a key may do."""

from __future__ import annotations

from itertools import islice
from typing import Any

from ml.erasure.receipts import ErasureReceipts
from ml.events.contract import EVENT_TYPES
from ml.keys.access_key import ROLES, AccessKey
from ml.keys.key_file import KeyFile
from ml.settings import Settings
from serving.console.formats import format_count, format_percent
from serving.console.localized_texts import Day, Sentences, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Card, Cell, ConsolePage, LatePart, Sheet
from serving.errors import ApiError
from serving.tessera import Tessera

RECEIPTS_SHOWN = 100
FOLLOWED_SECONDS = 5
MOST_COUNTED = 2_000
DONE = {
    "drop": "Dropped", "truncate": "Shortened", "keep": "Kept", "hash": "Replaced by keyed hashes",
    "refuse": "Refused with their event",
}  # fmt: skip
"""What is done with a datum, by the value of its setting."""
MAY = {
    "secret": "everything of the API, and everything of the console after signing in",
    "browser": "send what a visitor does; ask for recommendations, decisions and assignments of its own browser",
    "viewer": "read the figures of the console, and try what strangers and segments are shown",
    "editor": "the same; acknowledge alarms, repair and replay dead letters, write segments, rules and funnels, "
    "start and stop experiments",
    "privacy-officer": "the same as a viewer; look at, export and erase a person",
}


async def ask_privacy(question: ServiceQuestion) -> dict[str, Any]:
    """Count what the people in memory said about personalization.

    Raises:
        ApiError: 404, there is no such receipt.
    """
    tessera, receipt_id = question.tessera, question.query.get("receipt", "")
    if receipt_id and ErasureReceipts(tessera.config.home).receipt(receipt_id) is None:
        raise ApiError(404, "there is no such receipt", "receipt")
    tessera.catch_up()
    return {"consents": _count_consents(tessera)}


def build_privacy(request: PageRequest) -> ConsolePage:
    """Build the page; receipts, keys and settings are read from the home."""
    settings, home = request.config.settings, request.config.home
    receipts = read_receipts(ErasureReceipts(home))
    chosen = request.view.extra.get("receipt", "")
    pending = [receipt for receipt in receipts if not _is_verified(receipt)]
    cards = [
        Card(
            "Erasures",
            format_count(len(receipts)),
            say("{erasures} not verified everywhere yet", erasures=len(pending)),
        ),
        Card("Events are kept", say("{days} days", days=settings.privacy.retention_days), "from their receipt"),
        Card("Rejected rows", say("{days} days", days=settings.privacy.dead_letter_retention_days), "are kept"),
    ]
    sheets = [_receipts_sheet(request, receipts), _keys_sheet(request), _record_sheet(settings)]
    if request.answer is not None:
        cards = [*_consent_cards(request.answer["consents"]), *cards]
        sheets.insert(0, _consents_sheet(request.answer["consents"]))
    sheets.append(_settings_sheet(settings))
    late = []
    if chosen and not request.fault:
        seconds = 0 if any(r["receipt_id"] == chosen and _is_verified(r) for r in receipts) else FOLLOWED_SECONDS
        late = [LatePart("receipt", "The receipt", f"/console/privacy/part/receipt?receipt={chosen}", seconds)]
    return ConsolePage(cards, sheets, late=late, fault=request.fault)


async def load_receipt(question: ServiceQuestion) -> ConsolePage:
    """Return the places of a receipt as they stand now.

    Raises:
        ApiError: 404, there is no such receipt.
    """
    receipt = ErasureReceipts(question.tessera.config.home).receipt(question.query.get("receipt", ""))
    if receipt is None:
        raise ApiError(404, "there is no such receipt", "receipt")
    rows: list[list[Cell]] = [
        [
            place["place"],
            place["status"],
            place.get("removed"),
            place.get("verified_by") or place.get("left") or say("the job erasure has not reached it yet"),
        ]
        for place in receipt["places"]
    ]
    waiting = sum(place["status"] != "verified" for place in receipt["places"])
    note = (
        say("Every place is verified: nothing of the person is left.")
        if not waiting
        else say(
            "{places} places are pending; this page looks again every {seconds} s. The job runs with each "
            "materialization, or at once by tessera materialize --job erasure.",
            places=waiting,
            seconds=FOLLOWED_SECONDS,
        )
    )
    title = say("Receipt {receipt}", receipt=receipt["receipt_id"][:8])
    return ConsolePage(
        sheets=[Sheet("places", title, ["Place", "Status", "Removed", "How it is known"], rows, note)]
    )


def read_receipts(desk: ErasureReceipts) -> list[dict[str, Any]]:
    """Return all receipts, the newest first."""
    read = [desk.receipt(file.stem) for file in desk.folder.glob("*.json")]
    return sorted((each for each in read if each is not None), key=lambda each: each["requested_at"], reverse=True)


def _count_consents(tessera: Tessera) -> dict[str, int]:
    """Count the latest people in memory by what they said; all of them would hold up answers."""
    counts = {"granted": 0, "refused": 0, "not granted": 0}
    for key in islice(reversed(tessera.state.activity.visitors), MOST_COUNTED):
        consent = tessera.state.activity.find_consent(key)
        counts["granted" if consent.is_granted else "refused" if consent.has_refused else "not granted"] += 1
    return counts


def _consent_cards(consents: dict[str, int]) -> list[Card]:
    people = sum(consents.values())
    if not people:
        return []
    share = format_percent(consents["granted"] / people)
    return [Card("Personalization granted", share, say("of the latest {people} people", people=people))]


def _consents_sheet(consents: dict[str, int]) -> Sheet:
    people = sum(consents.values())
    rows: list[list[Cell]] = [
        [say(name), count, round(100 * count / people, 1) if people else None] for name, count in consents.items()
    ]
    return Sheet(
        "consents",
        "Consent to personalization",
        ["Answer", "People", "Share %"],
        rows if people else [],
        "The people seen last, by the consent in their newest events.",
        is_half=True,
        empty="There are no visitors in the service's memory yet.",
    )


def _is_verified(receipt: dict[str, Any]) -> bool:
    return all(place["status"] == "verified" for place in receipt["places"])


def _receipts_sheet(request: PageRequest, receipts: list[dict[str, Any]]) -> Sheet:
    rows: list[list[Cell]] = [
        [
            receipt["receipt_id"],
            request.bundle.format_moment(receipt["requested_at"]),
            sum(place["status"] == "verified" for place in receipt["places"]),
            len(receipt["places"]),
            sum(place.get("removed", 0) for place in receipt["places"]),
        ]
        for receipt in receipts[:RECEIPTS_SHOWN]
    ]
    return Sheet(
        "receipts",
        "Erasures and their receipts",
        ["Receipt", "Requested", "Places verified", "Places", "Removed"],
        rows,
        "A receipt names nobody: it holds a keyed hash of the id.",
        is_half=True,
        empty="Nobody has asked to be erased. A privacy officer erases a person on the page People.",
        links=[f"/console/privacy?receipt={row[0]}" for row in rows],
    )


def _keys_sheet(request: PageRequest) -> Sheet:
    keys = KeyFile(request.config.home).read()
    rows: list[list[Cell]] = [
        [
            key.name or key.key_id,
            key.kind,
            key.role or "",
            key.describe_status(request.now),
            say(MAY[key.role or key.kind]),
            _describe_end(key),
        ]
        for key in keys
    ]
    roles = ", ".join(ROLES)
    return Sheet(
        "keys",
        "What a key may do",
        ["Key", "Kind", "Role", "Status", "May", "Until"],
        rows,
        "Keys of the home; those of the environment are not listed.",
        empty=say(
            "There are no keys, so that only this machine is answered, and it may do everything. "
            "`tessera keys create --kind console --role ROLE` creates one for a person; the roles are {roles}.",
            roles=roles,
        ),
    )


def _describe_end(key: AccessKey) -> str:
    return Day(key.expires_at.date()) if key.expires_at is not None else say("no end")


def _record_sheet(settings: Settings) -> Sheet:
    """Build the record of processing activities as Art. 30 GDPR lists its parts, from the settings."""
    privacy, collector = settings.privacy, settings.collector
    consent = ", ".join(privacy.default_consent_browser) or say("none until the visitor agrees")
    families = sorted({kind.family.replace("_", " ") for kind in EVENT_TYPES.values()})
    alerts = say("whom the file alerts.addresses_file names") if settings.alerts.addresses_file else say("nobody")
    recipients = [
        say("None outside this installation; alarms without personal data go to {alerts}.", alerts=alerts)
    ]
    if collector.sink == "kafka":
        recipients.append(say("Events pass through Kafka at {servers}.", servers=settings.kafka.bootstrap_servers))
    rows: list[list[Cell]] = [
        [say("Controller"), say("The owner of the site; to be filled in by the owner.")],
        [
            say("Purposes"),
            say("Analytics of the site, personalization of what it shows, experiments; place, where granted."),
        ],
        [
            say("Legal basis"),
            say("Consent. Purposes of a browser that said nothing: {purposes}.", purposes=consent),
        ],
        [say("People"), say("Visitors and users of the site.")],
        [
            say("Data"),
            say(
                "Events of {families}; ids, device, country, titles and addresses of pages.",
                families=", ".join(families),
            ),
        ],
        [
            say("Addresses of the network"),
            say("{done} after the country was looked up.", done=say(DONE[privacy.address])),
        ],
        [
            say("E-mail addresses and telephone numbers"),
            say(
                "Addresses: {email}. Numbers: {phone}, wherever they stand.",
                email=say(DONE[privacy.email]),
                phone=say(DONE[privacy.phone]),
            ),
        ],
        [
            say("Other personal data"),
            say(
                "{done}: {fields}.",
                done=say(DONE[privacy.other_personal_data]),
                fields=", ".join(privacy.other_fields),
            ),
        ],
        [
            say("Positions"),
            say(
                "Only where granted, rounded to {decimals} decimals of a degree.",
                decimals=privacy.coordinate_decimals,
            ),
        ],
        [say("Recipients"), Sentences(*recipients)],
        [say("Third countries"), say("None by Tessera; the owner adds where the machine stands.")],
        [
            say("Erasure"),
            say(
                "Events after {events} days, rejected rows after {rows}, a person on request.",
                events=privacy.retention_days,
                rows=privacy.dead_letter_retention_days,
            ),
        ],
        [
            say("Signals of browsers"),
            f"Global Privacy Control: {privacy.global_privacy_control}; Do Not Track: {privacy.do_not_track}.",
        ],
        [
            say("Security"),
            say("Files are readable by their owner alone; keys are kept as digests; see SECURITY.md."),
        ],
    ]
    note = "What the settings in force say, in the order of Art. 30 (1) GDPR. Add what is the owner's."
    return Sheet("record", "Record of processing", ["Part", "What holds here"], rows, note)


def _settings_sheet(settings: Settings) -> Sheet:
    rows: list[list[Cell]] = [
        [
            name,
            ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value),
            field.description or "",
        ]
        for name, field in type(settings.privacy).model_fields.items()
        for value in [getattr(settings.privacy, name)]
    ]
    return Sheet("settings", "Settings of privacy", ["Setting", "Value", "What it does"], rows)
