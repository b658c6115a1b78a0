"""The whole circle, with a run that is killed on the way: what a user does comes back as other recommendations."""

import contextlib
import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from ml.bundle import current_version
from ml.events.log import EventLog
from ml.home import Home
from ml.registry.registry import Registry
from ml.settings import load_site_settings
from orchestration.cli import app
from orchestration.demo.bento_client import post_json, run_bento
from orchestration.erasure.scan import scan_files
from orchestration.runtime.instance import open_instance
from orchestration.warehouse.warehouse import Warehouse
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.conftest import HOMES
from tests.orchestration.digests import digests

CHECKOUT = Path(__file__).resolve().parents[2]
SITE_END = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
SHOWN = 60
CLICKED = 15
PATIENCE_SECONDS = 180
MAIN = "from orchestration.cli import main; main()"


@dataclass
class Circle:
    """A home before and after a user's clicks went through it.

    Attributes:
        opened: items of the category that the user opened and liked.
        before, after: what the published bundle alone recommends to the user.
        killed: the dbt process of the run that was killed.
        original: digests of the files of the home that this one was copied from, before all that.
    """

    home: Home
    user: str
    category: str
    opened: list[str]
    before: list[str]
    after: list[str]
    killed: psutil.Process
    original: dict[str, str]


@pytest.fixture(scope="module")
def circle(
    materialized_home: Home, small_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Circle]:
    """Clicks are posted to the served Bento; a materialization is killed half-way, and repeated."""
    original = digests(materialized_home.path)
    home = Home(shutil.copytree(materialized_home.path, tmp_path_factory.mktemp("circle") / "home"), small_site)
    with pytest.MonkeyPatch.context() as patch:
        for name in HOMES:
            patch.setenv(name, "restored afterwards")
        patch.setenv("TESSERA_SITE", str(small_site))
        user, category, opened = clicks_to_come(Warehouse(home.warehouse))
        before = recommended(home, user, tmp_path_factory.mktemp("before"))
        post_clicks(home, user, opened)
        killed = kill_a_run(home)
        done = CliRunner().invoke(app, ["materialize", "--home", str(home.path)])
        assert done.exit_code == 0, done.output
        after = recommended(home, user, tmp_path_factory.mktemp("after"))
        yield Circle(home, user, category, opened, before, after, killed, original)


def test_what_a_user_opens_comes_back_as_more_of_the_same_kind(circle: Circle) -> None:
    assert len(circle.opened) == CLICKED
    assert not set(circle.after) & set(circle.opened)
    items = Warehouse(circle.home.warehouse).read("select item_id, category from items")
    category_of = dict(zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True))
    still_unseen = [item for item in circle.before if item not in circle.opened]
    share_before = sum(category_of[item] == circle.category for item in still_unseen) / len(still_unseen)
    share_after = sum(category_of[item] == circle.category for item in circle.after) / len(circle.after)
    assert share_after > share_before


def test_a_killed_run_is_repeated_without_damage(circle: Circle, materialized_home: Home) -> None:
    assert not circle.killed.is_running()
    with open_instance(circle.home) as instance:
        assert [run.is_failure for run in instance.get_runs(limit=2)] == [False, True]
        assert all(run.is_finished for run in instance.get_runs())
    sessions = "select * from sessions where user_id <> '{}' order by session_id"
    now, undisturbed = (
        Warehouse(home.warehouse).read(sessions.format(circle.user)) for home in (circle.home, materialized_home)
    )
    assert now.equals(undisturbed)
    views = f"select sum(page_views) as views from sessions where user_id = '{circle.user}'"
    (before,) = Warehouse(materialized_home.warehouse).read(views)["views"].to_pylist()
    assert Warehouse(circle.home.warehouse).read(views)["views"].to_pylist() == [before + CLICKED]


def test_the_copy_was_trained_and_the_original_is_as_it_was(circle: Circle, materialized_home: Home) -> None:
    versions = [len(Registry(home.mlflow_uri).versions()) for home in (circle.home, materialized_home)]
    assert versions[0] > versions[1]
    assert digests(materialized_home.path) == circle.original
    assert scan_files(circle.home.path, [str(circle.home.path), str(materialized_home.path)]) == []


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


def recommended(home: Home, user: str, empty: Path) -> list[str]:
    """What the published bundle alone recommends: in an empty home no memory of the clicks helps the service."""
    config = ServiceConfig(Home(empty), load_site_settings(home).settings, bundled=home.published)
    wanted = {"user_id": user, "k": SHOWN, "at": (SITE_END + dt.timedelta(hours=1)).isoformat()}
    with TestClient(application(Tessera(config, seed=1))) as service:
        reply = service.post("/v1/recommendations", json=wanted)
    assert reply.status_code == 200, reply.text
    return [item["item_id"] for item in reply.json()["items"]]


def post_clicks(home: Home, user: str, items: list[str]) -> None:
    """Post views, clicks and likes of the items to the Bento of this home, and end it: its part is sealed."""
    config = SITE_END + dt.timedelta(minutes=5)
    events = [
        {
            "event_id": str(uuid.uuid4()),
            "event_type": event_type,
            "user_id": user,
            "item_id": item,
            "page_url": f"https://site.example/items/{item}",
            "occurred_at": (config + dt.timedelta(seconds=40 * place + later)).isoformat(),
        }
        for place, item in enumerate(items)
        for later, event_type in ((0, "page_view"), (5, "click"), (20, "like"))
    ]
    known = {part.part_id for part in EventLog(home).parts()}
    with run_bento(home, f"tessera:{current_version(home.published)}", writes_to=home) as address:
        assert post_json(f"{address}/v1/events", {"events": events}) == {"accepted": len(events), "rejected": []}
    assert {part.part_id for part in EventLog(home).parts()} > known


def kill_a_run(home: Home) -> psutil.Process:
    """Start a materialization and kill it while dbt builds tables; returns the dbt process."""
    run = subprocess.Popen(
        [sys.executable, "-c", MAIN, "materialize", "--home", str(home.path)],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    dbt = wait_for_dbt_at_work(run, home)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    return dbt


def wait_for_dbt_at_work(run: subprocess.Popen[bytes], home: Home) -> psutil.Process:
    """The dbt process of the run, once it builds tables."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and run.poll() is None:
        for child in psutil.Process(run.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # a child that ends while it is looked at
                log = Path(child.environ()["DBT_LOG_PATH"]) / "dbt.log" if "build" in child.cmdline() else None
                if log and log.exists() and "created sql" in log.read_text(errors="replace"):
                    return child
        time.sleep(0.1)
    raise AssertionError("the run ended, or never came to dbt")
