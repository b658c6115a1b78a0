"""Tells people about alarms, through Apprise."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from ml.errors import TesseraError
from ml.home import Home
from ml.local_clock import find_zone, hour_of, is_within
from ml.monitoring.alert_text import text_of, title_of
from ml.monitoring.journal import SENT, UNDELIVERED, Entry, Journal
from ml.settings import Settings
from ml.settings.operation import SEVERITIES, AlertSettings, Severity

NOTICE_AGE = dt.timedelta(days=7)  # an older notice is news no more
_NOTIFY = {"low": "info", "medium": "warning", "high": "failure"}


class AlertAddressError(TesseraError, ValueError):
    """The file of the addresses cannot be read, or holds none."""


def read_addresses(home: Home, settings: AlertSettings) -> list[str]:
    """Read the addresses that are told of alarms; none where the settings name no file.

    Empty lines and those that begin with `#` are passed over.

    Raises:
        AlertAddressError: There is no such file, or it holds no address.
    """
    if settings.addresses_file is None:
        return []
    file = home.path / settings.addresses_file
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise AlertAddressError(f"alerts.addresses_file: {file} cannot be read: {error.strerror}") from error
    addresses = [line for line in lines if line and not line.startswith("#")]
    if not addresses:
        raise AlertAddressError(f"alerts.addresses_file: {file} holds no address; write one per line")
    return addresses


def tell_people(home: Home, settings: Settings, now: dt.datetime) -> list[str]:
    """Send what waits in a home's journal to the addresses of its settings; see `send_alerts`.

    Raises:
        AlertAddressError: The file of the addresses cannot be read, or holds none.
    """
    addresses = read_addresses(home, settings.alerts)
    return send_alerts(Journal(home), addresses, settings.alerts, now, settings.warehouse.site_timezone)


def send_alerts(
    journal: Journal, addresses: Sequence[str], settings: AlertSettings, now: dt.datetime, timezone: str
) -> list[str]:
    """Send the open alarms and the notices that nobody was told of, those of one severity in one message.

    The journal notes it. Alarms below `least_severity` and acknowledged ones are not sent. In quiet hours those
    below high wait. The journal names the addresses that did not take a message; where none did, it is sent again
    with the next call.

    Args:
        journal: The journal.
        addresses: Addresses of Apprise.
        settings: Least severity and quiet hours.
        now: The present, UTC.
        timezone: The zone in which quiet hours are meant.

    Returns:
        The names of the alarms and notices that were sent.
    """
    if not addresses:
        return []
    is_quiet = is_within(hour_of(now.astimezone(find_zone(timezone))), *settings.quiet_hours)
    least = "high" if is_quiet else settings.least_severity
    already_sent = journal.with_mark(SENT)
    candidates = [*journal.unacknowledged(), *journal.notices(now - NOTICE_AGE)]
    waiting = [entry for entry in candidates if entry.alarm not in already_sent]
    sent: list[str] = []
    for severity in reversed(SEVERITIES[SEVERITIES.index(least) :]):
        group = [entry for entry in waiting if entry.facts["severity"] == severity]
        if group:
            faults = deliver(addresses, title_of(group), text_of(group), severity)
            journal.append([Entry(now.isoformat(), UNDELIVERED, "", fault) for fault in faults])
            if len(faults) < len(addresses):
                text = f"Sent to {len(addresses) - len(faults)} of {len(addresses)} addresses."
                journal.append([Entry(now.isoformat(), SENT, entry.alarm, text) for entry in group])
                sent += [entry.alarm for entry in group]
    return sent


def deliver(addresses: Sequence[str], title: str, text: str, severity: Severity) -> list[str]:
    """Send one message to all addresses.

    Returns:
        A sentence for each address that did not take it, with its place and kind. The address holds secrets, and
        is never shown.
    """
    import apprise  # noqa: PLC0415  it reads the modules of a hundred services, which takes a second

    # Its log would show an address that it cannot read, and Dagster keeps what a run prints.
    logging.getLogger(apprise.__name__).setLevel(logging.CRITICAL + 1)
    faults = []
    for place, address in enumerate(addresses, start=1):
        name = f"Address {place} ({address.partition(':')[0]}:…)" if ":" in address else f"Address {place}"
        target = apprise.Apprise()
        if not target.add(address):
            faults.append(
                f"{name} is not an address that Apprise knows: see https://github.com/caronc/apprise/wiki."
            )
        elif not target.notify(body=text, title=title, notify_type=apprise.NotifyType(_NOTIFY[severity])):
            faults.append(f"{name} did not accept the message.")
    return faults
