"""Assets, job and sensor that erase people from every place that the pipeline writes."""

import json
import time
from collections.abc import Mapping

import dagster as dg

from ml.erasure.log import erase_dead_letters, erase_events
from ml.erasure.people import find_common_names, find_longer_ids, names_to_erase
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.events.dead_letters import DeadLetters
from ml.events.live_dead_letters import recover_dead_letters
from ml.events.live_log import recover_parts
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from orchestration.defs.resources import HomeResource, WarehouseResource
from orchestration.erasure.places import erase_from_files, verify_erasures
from orchestration.runtime.shared_bundles import share_bundles
from orchestration.warehouse.dbt_project import WAREHOUSE_GROUPS

RETRY_SECONDS = 600  # by then another collector has sealed its open part


@dg.asset(
    group_name="events",
    kinds={"parquet"},
    description=(
        "The event log and the dead letters without the people who asked to be erased. It runs first, so that "
        "nothing that is built from them holds the person."
    ),
)
def erased_events(home: HomeResource) -> dg.MaterializeResult[None]:
    """Rewrite the parts that name a person with a pending receipt."""
    receipts, log, quarantine = ErasureReceipts(home.home()), home.event_log(), Quarantine(home.home())
    pending = receipts.pending()
    events = letters = 0
    if pending:
        recover_parts(log)
        recover_dead_letters(home.home())
        people, others, common = _find_names(log, pending)
        for receipt, count in erase_events(log, pending, others, common).items():
            receipts.record_removed(receipt, "event log", count)
            events += count
        for receipt, ids in people.items():
            count = erase_dead_letters(DeadLetters(home.home()), ids, others)
            count += quarantine.remove_people(ids)
            receipts.record_removed(receipt, "dead letters", count)
            letters += count
    return dg.MaterializeResult(metadata={"people": len(pending), "events": events, "dead_letters": letters})


@dg.asset(
    deps=[
        *("users", "user_segments", "segment_profiles", "segment_report"),
        *("daily_metrics", "campaign_audiences", "bento"),
    ],
    group_name="publishing",
    kinds={"duckdb", "mlflow", "bentoml"},
    description=(
        "Receipts of erasures: what was removed from the warehouse, MLflow, models, bundles, Bentos, contacts and "
        "audiences, and whether any file of the home, decoded or raw, still names the person. Such places stay "
        "pending."
    ),
)
def erasure_receipts(
    context: dg.AssetExecutionContext, home: HomeResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[None]:
    """Erase people from everything that was built, then search every file."""
    receipts = ErasureReceipts(home.home())
    pending = receipts.pending()
    left: dict[str, int] = {}
    if pending:
        with warehouse.writing("erasing people"):
            people, others, common = _find_names(home.event_log(), pending)
            erase_from_files(home.home(), people, receipts, others, common)
            share_bundles(home.home(), home.settings())
            left = verify_erasures(home.home(), people, receipts, others, common)
    for receipt, places in left.items():
        if places:
            context.log.warning(
                "receipt %s: %d places still hold something; the next run tries again", receipt, places
            )
    return dg.MaterializeResult(
        metadata={"people": len(pending), "verified": sum(1 for places in left.values() if not places)}
    )


def _find_names(
    log: EventLog, pending: Mapping[str, PersonIds]
) -> tuple[dict[str, list[str]], list[str], frozenset[str]]:
    """Return the names to erase by receipt, longer ids of other people, and ids that name something else too."""
    longer = find_longer_ids(log, (person for ids in pending.values() for person in ids.all))
    return names_to_erase(log, pending), longer, find_common_names(log, pending.values())


erasure = dg.define_asset_job(
    "erasure",
    selection=(
        dg.AssetSelection.assets("erased_events")
        | dg.AssetSelection.groups(*WAREHOUSE_GROUPS)
        | dg.AssetSelection.assets("erasure_receipts")
    ).without_checks(),
    description="Erases people who asked for it from the log, the tables built from it, and every other place.",
)


@dg.sensor(
    job=erasure,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the job when somebody asks to be erased, and again while a place is not yet verified.",
)
def erasures_wanted(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.RunRequest | dg.SkipReason:
    """Request a run as soon as there is a new receipt, and every ten minutes while a receipt is pending."""
    pending = sorted(ErasureReceipts(home.home()).pending())
    if not pending:
        return dg.SkipReason("no erasure is pending")
    seen = json.loads(context.cursor or '{"receipts": [], "at": 0}')
    now = time.time()
    if set(pending) <= set(seen["receipts"]) and now - seen["at"] < RETRY_SECONDS:
        return dg.SkipReason(f"{len(pending)} receipts are pending; the next try is in a few minutes")
    context.update_cursor(json.dumps({"receipts": pending, "at": now}))
    return dg.RunRequest(tags={"tessera/receipts": str(len(pending))})
