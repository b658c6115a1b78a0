"""`tessera audience`: write the users of a segment for a mail or notification tool."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ml.settings.segmentation import Channel
from orchestration.commands.home import HomeOption, chosen_settings, home_of

console = Console(highlight=False, markup=False, emoji=False)


def audience(
    segment: Annotated[
        str,
        typer.Argument(
            metavar="SEGMENT",
            help="Number or name of a learned segment, name of a segment in segments.yaml, or an expression.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="File to write, .csv or .parquet.")],
    exclude_contacted: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="Leave out users who were contacted within so many days."),
    ] = None,
    hold_out: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            metavar="SHARE",
            help="Share of the audience to log but not contact, as a control group.",
        ),
    ] = 0.0,
    channel: Annotated[
        Channel | None,
        typer.Option(help="How people are addressed; mail and push need a user id. Default: the setting."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write the users of a segment who may be contacted, and log the contact.

    Only users who consent to personalization are written, outside of the quiet period and below the cap of
    contacts in the settings, and only those whom the channel reaches. Each row has the strategy for the user and
    the time to send: when the user usually comes, outside of the quiet hours, in the user's time zone. Nothing is
    written if the segment is smaller than the minimum size of the settings.

    Examples: `tessera audience inactive --out mail.csv`,
    `tessera audience 'country == "DE" && category_shares["sport"] > 0.4' --out sport.csv`
    """
    from ml.segmentation.audiences.contacts import contact_segment
    from orchestration.warehouse.marts import ADDRESSEES, USER_SEGMENTS
    from orchestration.warehouse.warehouse import Warehouse

    place = home_of(home)
    warehouse = Warehouse(place.warehouse)
    result = contact_segment(
        segment,
        segment,
        out,
        home=place,
        users=warehouse.read(ADDRESSEES),
        segments=warehouse.read(USER_SEGMENTS) if "user_segments" in warehouse.tables() else None,
        settings=chosen_settings(place).segmentation,
        now=dt.datetime.now(dt.UTC),
        exclude_contacted_days=exclude_contacted,
        hold_out=hold_out,
        channel=channel,
    )
    # Without the number of members: what is left out would follow from it.
    console.print(f"{result.audience.table.num_rows:,} users of {segment!r} written to {out}")
    for text in result.describe_left_out():
        console.print(f"  left out: {text}")
