"""The whole circle: what a user does on the site comes back as other recommendations."""

import datetime as dt
import uuid

import pytest
from typer.testing import CliRunner

from ml.bundle import current_version
from ml.event_log import EventLog
from ml.home import Home
from orchestration.asking import ask_bento, post, serving_bento
from orchestration.cli import app
from orchestration.warehouse import Warehouse

SITE_END = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
SHOWN = 60
CLICKED = 15


@pytest.mark.xfail(
    strict=False,
    reason="open defect: on the small site the served list follows new clicks only in some runs; "
    "training on several threads is not deterministic, and fifteen items hardly move the blend",
)
def test_what_a_user_opens_comes_back_as_more_of_the_same_kind(changing_home: Home) -> None:
    home = changing_home
    warehouse = Warehouse(home.warehouse)
    user, category, opened = clicks_to_come(warehouse)
    before = recommended(home, user)
    assert len(opened) == CLICKED

    known = {part.part_id for part in EventLog(home).parts()}
    post_clicks(home, user, opened)
    assert {part.part_id for part in EventLog(home).parts()} > known
    done = CliRunner().invoke(app, ["materialize", "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    after = recommended(home, user)

    assert not set(after) & set(opened)
    items = warehouse.read("select item_id, category from items")
    category_of = dict(zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True))
    still_unseen = [item for item in before if item not in opened]
    share_before = sum(category_of[item] == category for item in still_unseen) / len(still_unseen)
    share_after = sum(category_of[item] == category for item in after) / len(after)
    assert share_after > share_before


def clicks_to_come(warehouse: Warehouse) -> tuple[str, str, list[str]]:
    """A known user, a category of little interest to that user until now, and unseen items of it."""
    (row,) = warehouse.read(
        """
        with chosen as (
            select user_id, category_shares
            from users
            where is_known and has_personalization_consent and page_views between 15 and 60
            order by user_id
            limit 1
        ),
        unseen as (
            select items.category, items.item_id, items.views
            from items
            where not exists (
                from interactions join chosen using (user_id) where interactions.item_id = items.item_id
            )
        ),
        categories as (
            select category
            from unseen
            group by category
            having count(*) filter (where views > 0) >= 25
            order by coalesce((select category_shares[unseen.category] from chosen), 0), category
            limit 1
        )
        select
            (select user_id from chosen) as user_id,
            category,
            list(item_id order by item_id)[:15] as opened
        from unseen
        where category = (select category from categories) and views > 0
        group by category
        """
    ).to_pylist()
    return row["user_id"], row["category"], row["opened"]


def recommended(home: Home, user: str) -> list[str]:
    """What the published Bento alone recommends: a new service, so that no memory of the clicks helps it."""
    tag = f"tessera:{current_version(home.published)}"
    (answer,) = ask_bento(home, tag, [{"user_id": user, "k": SHOWN}])
    return [item["item_id"] for item in answer["items"]]


def post_clicks(home: Home, user: str, items: list[str]) -> None:
    """Post views and clicks of the items to the service of this home, and end it."""
    start = SITE_END + dt.timedelta(minutes=5)
    events = [
        {
            "event_id": str(uuid.uuid4()),
            "event_type": event_type,
            "user_id": user,
            "item_id": item,
            "page_url": f"https://site.example/items/{item}",
            "occurred_at": (start + dt.timedelta(seconds=40 * place + later)).isoformat(),
        }
        for place, item in enumerate(items)
        for later, event_type in ((0, "page_view"), (5, "click"), (20, "like"))
    ]
    with serving_bento(home, f"tessera:{current_version(home.published)}", writes_to=home) as address:
        assert post(f"{address}/v1/events", {"events": events}) == {"accepted": len(events), "rejected": []}
