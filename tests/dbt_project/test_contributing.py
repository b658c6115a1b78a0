"""What CONTRIBUTING.md shows, done as it is written: a measure, a mart, and a model that follows changes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from orchestration.product_files import DBT_PROJECT_FOLDER
from tests.dbt_project.built import START, Built, event, parsed_project, warehouse_in

TEXT = (DBT_PROJECT_FOLDER.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFF = re.compile(r"^```diff\n--- (?P<file>\S+)\n(?P<hunks>.*?)^```$", re.M | re.S)
NEW_FILE = re.compile(r"^`(?P<file>dbt_project/\S+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.M | re.S)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a copy of the dbt project."""
    folder = tmp_path / "checkout"
    shutil.copytree(DBT_PROJECT_FOLDER, folder / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    return folder


def section(title: str) -> str:
    """The text of a section of CONTRIBUTING.md, up to the next title."""
    return re.split(r"^#+ ", TEXT.split(f"### {title}\n")[1], maxsplit=1, flags=re.M)[0]


def follow(title: str, checkout: Path) -> set[str]:
    """Do in the checkout what the section shows; returns the names of the files that it touches."""
    files = set()
    for new in NEW_FILE.finditer(section(title)):
        (checkout / new["file"]).write_text(new["text"], encoding="utf-8")
        files.add(new["file"])
    for diff in DIFF.finditer(section(title)):
        path = checkout / diff["file"]
        text = path.read_text(encoding="utf-8")
        for hunk in diff["hunks"].split("@@\n")[1:]:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            assert text.count(before) == 1, f"{diff['file']} does not hold these lines once:\n{before}"
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
        files.add(diff["file"])
    return files


def warehouse_of(checkout: Path, home: Path) -> Built:
    project = checkout / "dbt_project"
    return warehouse_in(home, parsed_project(home.parent / "parsed", project), project)


VISITS = (
    event(0, user_id="ann", page_url="https://site/a"),
    event(1, "follow", user_id="ann", item_id="boots"),
    event(2, "follow", user_id="ann", item_id="scarf"),
    event(0, user_id="bob", page_url="https://site/a", referrer="https://www.google.com/"),
    event(1, "purchase", user_id="bob", item_id="boots", value=80.0),
)


def test_a_measure_and_a_mart_are_added_in_two_files_each_and_a_mart_can_follow_changes(
    checkout: Path, tmp_path: Path
) -> None:
    assert follow("A measure", checkout) == {
        "dbt_project/models/marts/sessions.sql",
        "dbt_project/models/marts/sessions.yml",
    }
    assert follow("A mart", checkout) == {
        "dbt_project/models/marts/channels.sql",
        "dbt_project/models/marts/channels.yml",
    }
    monday, tuesday = START.date(), START.date().replace(day=3)
    warehouse = warehouse_of(checkout, tmp_path / "home")
    warehouse.ingest(*VISITS)
    warehouse.build("channels")
    warehouse.run(["test", "--select", "channels"])
    assert warehouse.rows("select user_id, follows from sessions order by 1") == [("ann", 2), ("bob", 0)]
    assert warehouse.rows("from channels order by 1, 2") == [
        (monday, "direct", 1, 0, 0.0),
        (monday, "search", 1, 1, 80.0),
    ]

    assert follow("A model that follows changes", checkout) == {"dbt_project/models/marts/channels.sql"}
    warehouse = warehouse_of(checkout, tmp_path / "another home")
    warehouse.ingest(*VISITS)
    warehouse.build("channels")
    late_purchase = event(3, "purchase", user_id="ann", item_id="boots", value=20.0)
    next_day = event(1440, user_id="ann", page_url="https://site/a")
    warehouse.ingest(late_purchase, next_day)
    warehouse.build("channels")
    incremental = warehouse.rows("from channels order by 1, 2")
    assert incremental == [
        (monday, "direct", 1, 1, 20.0),
        (monday, "search", 1, 1, 80.0),
        (tuesday, "direct", 1, 0, 0.0),
    ]
    warehouse.build("channels", full=True)
    assert warehouse.rows("from channels order by 1, 2") == incremental
