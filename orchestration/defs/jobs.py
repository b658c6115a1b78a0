"""Ways to run the graph, and the one that lets audiences out."""

import dagster as dg

from orchestration.runtime.instance import FROM_SCRATCH, FULL_REFRESH
from orchestration.warehouse.dbt_project import WAREHOUSE_GROUPS

TRAINING_GROUPS = ("segmentation", "sequences", "recommendation", "publishing")
CAMPAIGNS = "campaigns"  # their audiences log contacts with people, so no run makes them on the way
EVERYTHING = dg.AssetSelection.all() - dg.AssetSelection.groups(CAMPAIGNS)

daily_increment = dg.define_asset_job(
    "daily_increment",
    selection=EVERYTHING,
    description="Every asset but campaigns, reading only the event files sealed since the last run.",
)

full_refresh = dg.define_asset_job(
    "full_refresh",
    selection=EVERYTHING,
    description="Every asset but campaigns; the tables are built from the whole event log.",
    tags={FULL_REFRESH: "true", FROM_SCRATCH: "true"},
)

retention = dg.define_asset_job(
    "retention",
    selection=dg.AssetSelection.groups("events", *WAREHOUSE_GROUPS),
    description="Drops events and dead letters beyond the retention, from the log and from every table.",
)

training = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups(*TRAINING_GROUPS),
    description="Segments, paths, candidates, the champion from scratch, the bundle, on the tables as they are.",
    tags={FROM_SCRATCH: "true"},
)

campaigns = dg.define_asset_job(
    "campaigns",
    selection=dg.AssetSelection.groups(CAMPAIGNS),
    description="The audiences of the campaigns, written and logged as contacts.",
)
