"""Who asked to be forgotten leaves every place that the pipeline writes; the receipts say so."""

import json
import time

import dagster as dg

from ml.erasure.log import erase_dead_letters, erase_events
from ml.erasure.receipts import ErasureDesk
from ml.events.dead_letters import DeadLetters
from ml.events.live_dead_letters import recover_rejections
from ml.events.live_log import recover
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.erasure.places import erase_from_files, verify

RETRY_SECONDS = 600  # another collector's open part is sealed by then


@dg.asset(
    group_name="events",
    kinds={"parquet"},
    description=(
        "The log and the dead letters without those who asked to be erased: first of all, so that nothing that is "
        "built from them holds the person."
    ),
)
def erased_events(home: HomeResource) -> dg.MaterializeResult[None]:
    """Rewrite the parts that name a person with a pending receipt."""
    desk, log = ErasureDesk(home.home()), home.event_log()
    people = desk.pending()
    events = letters = 0
    if people:
        recover(log)
        recover_rejections(home.home())
        for receipt, count in erase_events(log, people).items():
            desk.removed(receipt, "event log", count)
            events += count
        for receipt, ids in people.items():
            count = erase_dead_letters(DeadLetters(home.home()), ids)
            desk.removed(receipt, "dead letters", count)
            letters += count
    return dg.MaterializeResult(metadata={"people": len(people), "events": events, "dead_letters": letters})


@dg.asset(
    deps=["users", "user_segments", "segment_profiles", "daily_metrics", "campaign_audiences", "bento"],
    group_name="publishing",
    kinds={"duckdb", "mlflow", "bentoml"},
    description=(
        "Receipts of erasures: what went from warehouse, MLflow, models, bundles, Bentos, contacts and audiences, "
        "and that no file of the home, decoded or raw, names the person any more. What still does stays pending."
    ),
)
def erasure_receipts(
    context: dg.AssetExecutionContext, home: HomeResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[None]:
    """Erase from all that was built, then look at every byte."""
    desk = ErasureDesk(home.home())
    people = desk.pending()
    left: dict[str, int] = {}
    if people:
        with warehouse.writing("erasing people"):
            erase_from_files(home.home(), people, desk)
            left = verify(home.home(), people, desk)
    for receipt, places in left.items():
        if places:
            context.log.warning(
                "receipt %s: %d places still hold something; the next run tries again", receipt, places
            )
    return dg.MaterializeResult(
        metadata={"people": len(people), "verified": sum(1 for places in left.values() if not places)}
    )


erasure = dg.define_asset_job(
    "erasure",
    selection=(
        dg.AssetSelection.assets("erased_events")
        | dg.AssetSelection.groups("warehouse")
        | dg.AssetSelection.assets("erasure_receipts")
    ).without_checks(),
    description="Those who asked to be erased leave the log, the tables built from it, and every other place.",
)


@dg.sensor(
    job=erasure,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the job for people who asked to be erased, and again while a place is not yet verified.",
)
def erasures_wanted(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run as soon as there is a new receipt, and every ten minutes while one is pending."""
    pending = sorted(ErasureDesk(home.home()).pending())
    if not pending:
        return dg.SkipReason("nobody waits to be erased")
    seen = json.loads(context.cursor or '{"receipts": [], "at": 0}')
    now = time.time()
    if set(pending) <= set(seen["receipts"]) and now - seen["at"] < RETRY_SECONDS:
        return dg.SkipReason(f"{len(pending)} receipts are pending; the next try is in a few minutes")
    context.update_cursor(json.dumps({"receipts": pending, "at": now}))
    return dg.RunRequest(tags={"tessera/receipts": str(len(pending))})
