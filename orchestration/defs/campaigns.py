"""Campaigns: the audiences of settings.yaml, written on schedule. Only the job `campaigns` logs contacts."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from ml.segmentation.audiences.contacts import SmallSegmentError, contact_segment
from ml.segmentation.audiences.membership import UnknownSegmentError
from orchestration.defs.jobs import CAMPAIGNS
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.warehouse.marts import ADDRESSEES, USER_SEGMENTS


@dg.asset(
    deps=["user_segments", "users", "preferences"],
    group_name=CAMPAIGNS,
    kinds={"csv"},
    description=(
        "The audiences of the campaigns in settings.yaml, once a day each: consenting users outside of quiet "
        "periods and below the cap, with the strategy. Every contact is logged, so only the job `campaigns` "
        "materializes this asset."
    ),
)
def campaign_audiences(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Write `reports/audiences/<campaign>/<date>.csv`, unless the campaign already has a file of today.

    A campaign that cannot be written, such as one of a segment that does not exist, is left out with its reason,
    and the others are written.
    """
    settings, place, now = home.settings().segmentation, home.home(), dt.datetime.now(dt.UTC)
    users, segments = warehouse.read(ADDRESSEES), warehouse.read(USER_SEGMENTS)
    written: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for name, campaign in settings.campaigns.items():
        file = place.reports / "audiences" / name / f"{now:%Y-%m-%d}.csv"
        if file.exists():
            continue
        try:
            result = contact_segment(
                name,
                campaign.segment,
                file,
                home=place,
                users=users,
                segments=segments,
                settings=settings,
                now=now,
                exclude_contacted_days=campaign.exclude_contacted_days,
                hold_out=campaign.hold_out,
                channel=campaign.channel,
            )
        except (UnknownSegmentError, SmallSegmentError) as error:
            left_out[name] = str(error)
            dg.get_dagster_logger().warning("campaign %s is left out: %s", name, error)
            continue
        written[name] = result.audience.table.num_rows
    return dg.MaterializeResult(
        metadata={"campaigns": len(settings.campaigns), **written, "left_out": dg.MetadataValue.json(left_out)}
    )
