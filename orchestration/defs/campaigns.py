"""Campaigns: the audiences of settings.yaml, written on schedule. No other job writes them or logs a contact."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from ml.segmentation.audiences import ContactLog, build_audience, deliver
from ml.segmentation.membership import select_members
from ml.segmentation.rules import rules_of
from orchestration.defs.jobs import CAMPAIGNS, campaigns
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.marts import ADDRESSEES, USER_SEGMENTS


@dg.asset(
    deps=["user_segments", "users", "preferences"],
    group_name=CAMPAIGNS,
    kinds={"csv"},
    description=(
        "The audiences of the campaigns in settings.yaml, once a day each: consenting users outside quiet periods "
        "and below the cap, with the strategy. Every contact is logged, so only the job `campaigns` makes this."
    ),
)
def campaign_audiences(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Write `reports/audiences/<campaign>/<date>.csv`; a campaign that has today's file is left alone."""
    settings, place, now = home.settings().segmentation, home.home(), dt.datetime.now(dt.UTC)
    log, rules = ContactLog(place.contacts), rules_of(place.path, settings.rules_file)
    users, segments = warehouse.read(ADDRESSEES), warehouse.read(USER_SEGMENTS)
    written: dict[str, int] = {}
    for name, campaign in settings.campaigns.items():
        file = place.reports / "audiences" / name / f"{now:%Y-%m-%d}.csv"
        if file.exists():
            continue
        members = select_members(campaign.segment, users, segments, rules)
        audience = build_audience(
            name,
            members.users,
            members.strategies,
            contacts=log.read(),
            settings=settings.audiences,
            now=now,
            exclude_contacted_days=campaign.exclude_contacted_days,
            hold_out=campaign.hold_out,
        )
        deliver(audience, file, log, now)
        written[name] = audience.table.num_rows
    return dg.MaterializeResult(metadata={"campaigns": len(settings.campaigns), **written})


@dg.definitions
def campaign_schedule() -> dg.Definitions:
    """The asset and the schedule of settings.yaml, which is off until a person switches it on."""
    times = HomeResource().settings().schedules
    return dg.Definitions(
        assets=[campaign_audiences],
        schedules=[
            dg.ScheduleDefinition(
                name="every_campaign_day",
                job=campaigns,
                cron_schedule=times.campaigns,
                execution_timezone=times.timezone,
                default_status=dg.DefaultScheduleStatus.STOPPED,
                description="Writes the audiences of the campaigns; switch it on when something sends them.",
            )
        ],
    )
