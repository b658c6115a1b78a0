"""Four ways to run the graph."""

import dagster as dg

from orchestration.instance import FULL_REFRESH

TRAINING_GROUPS = ("segmentation", "recommendation", "publishing")

daily_increment = dg.define_asset_job(
    "daily_increment",
    selection=dg.AssetSelection.all(),
    description="Every asset, reading only the event files sealed since the last run.",
)

full_refresh = dg.define_asset_job(
    "full_refresh",
    selection=dg.AssetSelection.all(),
    description="Every asset; the tables are built from the whole event log.",
    tags={FULL_REFRESH: "true"},
)

retention = dg.define_asset_job(
    "retention",
    selection=dg.AssetSelection.groups("events", "warehouse"),
    description="Drops events and dead letters beyond the retention, from the log and from every table.",
)

training = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups(*TRAINING_GROUPS),
    description="Segments, candidates, the champion and the bundle, on the tables as they are.",
)
