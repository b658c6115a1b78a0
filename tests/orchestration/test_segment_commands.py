"""`tessera segment` and `tessera audience` as a person types them."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from ml.home import Home
from ml.segmentation.audiences.audiences import ContactLog
from orchestration.cli import app
from orchestration.defs.campaigns import campaign_audiences
from orchestration.defs.resources import HomeResource, WarehouseResource


@pytest.fixture
def quick_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with fewer repetitions."""
    choice = {
        "algorithms": ["kmeans"], "segments_max": 5, "null_references": 4, "resamples": 2, "stability_rows": 400,
    }  # fmt: skip
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"segmentation": {"choice": choice}}))
    monkeypatch.setenv("TESSERA_SITE", str(tmp_path))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))


def features(file: Path) -> None:
    generator = np.random.default_rng(0)
    kind = generator.integers(3, size=400)
    columns = {f"f{j}": 5.0 * (kind == j) + generator.normal(size=400) for j in range(4)}
    pq.write_table(pa.table({"user_id": [f"u{i}" for i in range(400)], **columns}), file)


@pytest.mark.usefixtures("quick_settings")
def test_a_table_of_users_becomes_segments_without_a_warehouse(tmp_path: Path) -> None:
    features(tmp_path / "features.parquet")
    result = CliRunner().invoke(
        app, ["segment", "--features", str(tmp_path / "features.parquet"), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "3 segments" in result.output
    users = pq.read_table(tmp_path / "out" / "user_segments.parquet")
    assert users.column_names[:3] == ["user_id", "segment", "name"]
    assert {"segments.json", "report.html"} <= {file.name for file in (tmp_path / "out").iterdir()}


@pytest.mark.usefixtures("quick_settings")
def test_a_file_that_cannot_be_segmented_is_reported_in_a_single_line(tmp_path: Path) -> None:
    broken, wrong = tmp_path / "broken.parquet", tmp_path / "wrong.parquet"
    features(broken)
    broken.write_bytes(broken.read_bytes()[:500])
    pq.write_table(pa.table({"user_id": ["a", "b", "a"], "f": [1.0, 2.0, 3.0]}), wrong)
    for file, message in (
        (broken, "broken.parquet"),
        (
            wrong,
            "wrong.parquet: column 'user_id', row 3: 'a' has an earlier row already; 3 rows have 2",
        ),
        (tmp_path / "none", "none"),
    ):
        result = CliRunner().invoke(app, ["segment", "--features", str(file), "--out", str(tmp_path / "out")])
        assert result.exit_code == 1
        assert message in result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("has_groups", [True, False])
def test_a_code_of_noise_neither_hides_groups_nor_makes_any(tmp_path: Path, has_groups: bool) -> None:
    random = np.random.default_rng(5)
    centres = np.array([(25, 20), (25, 80), (55, 50), (88, 18), (87, 82)])
    groups = np.repeat(centres, 40, axis=0)
    values = (groups * has_groups + random.normal(0, 7, (200, 2))).round(1)
    rows = [f"{n},{a},{b},{random.integers(1, 5)}" for n, (a, b) in enumerate(values)]
    (tmp_path / "users.csv").write_text("\n".join(["user_id,income,spending,code", *rows]))
    call = ("segment", "--features", tmp_path / "users.csv", "--out", tmp_path / "out", "--categorical", "code")
    divided = CliRunner().invoke(app, [str(part) for part in call])
    assert divided.exit_code == 0, divided.output
    assert ("5 segments" in divided.output) == has_groups
    assert ('compare with --exclude "code"' in divided.output) != has_groups


def test_the_settings_are_those_of_the_given_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TESSERA_HOME", raising=False)
    home = tmp_path / "other"
    home.mkdir()
    (home / "settings.yaml").write_text("segmentation: {minimum_segment_sizes: 5}\n")
    features(tmp_path / "features.parquet")
    result = CliRunner().invoke(
        app,
        [
            "segment",
            "--features",
            str(tmp_path / "features.parquet"),
            "--out",
            str(tmp_path / "out"),
            "--home",
            str(home),
        ],
    )
    assert result.exit_code != 0
    assert "minimum_segment_sizes" in result.output


def write_settings(site: Path, **segmentation: object) -> None:
    """Settings of the section `segmentation`."""
    (site / "settings.yaml").write_text(yaml.safe_dump({"segmentation": segmentation}))


@pytest.fixture
def warehouse(quick_settings: None, tmp_path: Path) -> None:
    """The columns that the shipped rules read, for four users, on a site that writes to a single one."""
    (tmp_path / "home").mkdir()
    write_settings(tmp_path, minimum_segment_size=1)
    users = pa.table(
        {
            "user_id": ["ann", "bob", "cem", "dia"],
            "has_personalization_consent": [True, True, False, True],
            "engagement_class": ["inactive", "inactive", "inactive", "frequent"],
            "daypart": ["morning"] * 4, "recency_days": [100.0, 95.0, 99.0, 1.0], "frequency": [0.1] * 4,
            "monetary": [0.0] * 4, "purchases": [0] * 4, "checkouts": [0] * 4, "add_to_carts": [0] * 4,
            "page_views": [1, 20, 3, 40], "device_type": ["mobile"] * 4, "country": ["DE"] * 4,
            "mean_price_viewed": [30.0] * 4, "product_views": [0] * 4, "timezone": ["UTC"] * 4,
        }
    )  # fmt: skip
    segments = pa.table({"user_id": ["ann", "dia"], "segment": [1, 2], "name": ["Readers", "Buyers"]})
    with duckdb.connect(tmp_path / "home" / "warehouse.duckdb") as connection:
        connection.register("a", users)
        connection.register("b", segments)
        connection.execute("create table users as from a")
        connection.execute("create table user_segments as from b")
        connection.execute(
            "create table preferences (user_id varchar, quiet_from_hour double, quiet_until_hour double)"
        )


@pytest.mark.usefixtures("warehouse")
def test_the_same_people_are_not_contacted_twice(tmp_path: Path) -> None:
    command = ["audience", "inactive", "--out", str(tmp_path / "mail.csv")]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert "2 users of 'inactive' written" in first.output
    assert "left out: 1 (no consent)" in first.output
    written = pyarrow.csv.read_csv(tmp_path / "mail.csv")
    assert written["user_id"].to_pylist() == ["ann", "bob"]
    assert all(text.startswith("Re-engagement with what is new") for text in written["strategy"].to_pylist())
    assert written["send_after"].to_pylist()[0].replace(tzinfo=dt.UTC) >= dt.datetime.now(dt.UTC) - dt.timedelta(
        hours=1
    )
    second = CliRunner().invoke(app, command)
    assert "0 users" in second.output
    assert "left out: 2 (contacted within 3 days)" in second.output


@pytest.mark.usefixtures("warehouse")
def test_an_audience_by_expression_and_a_misspelt_expression(tmp_path: Path) -> None:
    out = str(tmp_path / "some.parquet")
    assert CliRunner().invoke(app, ["audience", "page_views > 10 && segment == 2", "--out", out]).exit_code == 0
    assert pq.read_table(out)["user_id"].to_pylist() == ["dia"]
    wrong = CliRunner().invoke(app, ["audience", "page_view > 10", "--out", out])
    assert wrong.exit_code == 1
    assert "did you mean 'page_views'?" in wrong.output


@pytest.mark.usefixtures("warehouse")
def test_nothing_is_written_about_fewer_people_than_the_minimum(tmp_path: Path) -> None:
    write_settings(tmp_path, minimum_segment_size=3)
    home, out = Home(tmp_path / "home"), tmp_path / "some.csv"
    for segment in ("inactive", "page_views == 40", "1"):
        result = CliRunner().invoke(app, ["audience", segment, "--out", str(out)])
        assert result.exit_code == 1
        assert "fewer than 3 members who consent; nobody may be singled out" in " ".join(result.output.split())
    assert CliRunner().invoke(app, ["audience", "page_views > 0", "--out", str(out)]).exit_code == 0
    assert ContactLog(home.contacts).read()["user_id"].to_pylist() == ["ann", "bob", "dia"]


@pytest.mark.usefixtures("warehouse")
def test_a_condition_about_one_person_does_not_say_whether_the_person_meets_it(tmp_path: Path) -> None:
    """`page_views == 40` names dia; the answers to what is true of her and what is not are alike."""
    write_settings(tmp_path, minimum_segment_size=3)
    texts = []
    for guess in ("frequent", "inactive"):
        segment = f'page_views == 40 && engagement_class == "{guess}"'
        result = CliRunner().invoke(app, ["audience", segment, "--out", str(tmp_path / "some.csv")])
        assert result.exit_code == 1
        texts.append(result.output.replace(guess, "…"))
    assert texts[0] == texts[1]
    assert not (tmp_path / "some.csv").exists()


@pytest.mark.usefixtures("warehouse")
def test_two_audiences_that_differ_by_one_person_do_not_say_so_in_their_counts(tmp_path: Path) -> None:
    """Cem does not consent; with and without him, the same is told."""
    write_settings(tmp_path, minimum_segment_size=2)
    texts = []
    for number, segment in enumerate(("page_views > 0", "page_views > 0 && page_views != 3")):
        home = tmp_path / f"home-{number}"
        shutil.copytree(tmp_path / "home", home)
        out = str(tmp_path / "some.csv")
        result = CliRunner().invoke(app, ["audience", segment, "--out", out, "--home", str(home)])
        assert result.exit_code == 0, result.output
        texts.append(result.output.replace(segment, "…").splitlines()[0])
        assert "1 (no consent)" not in result.output
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("warehouse")
def test_a_person_is_no_audience(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["audience", 'user_id == "ann"', "--out", str(tmp_path / "x.csv")])
    assert result.exit_code == 1
    assert "user_id" in result.output
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.usefixtures("warehouse")
def test_a_campaign_of_a_misspelt_segment_is_left_out_and_the_others_are_written(tmp_path: Path) -> None:
    campaign = {"exclude_contacted_days": 0, "hold_out": 0}
    campaigns = {"a": {"segment": "inactve", **campaign}, "b": {"segment": "frequent", **campaign}}
    write_settings(tmp_path, minimum_segment_size=1, campaigns=campaigns)
    result = dg.materialize(
        [campaign_audiences],
        resources={"home": HomeResource(), "warehouse": WarehouseResource(home=HomeResource())},
    )
    metadata = result.asset_materializations_for_node("campaign_audiences")[0].metadata
    assert result.success
    assert metadata["b"].value == 1
    assert "did you mean inactive" in metadata["left_out"].value["a"]


@pytest.mark.usefixtures("quick_settings")
def test_an_audience_before_the_first_materialization_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["audience", "inactive", "--out", str(tmp_path / "x.csv")])
    assert result.exit_code == 1
    assert "run `tessera materialize` first" in result.output


@pytest.mark.usefixtures("warehouse")
def test_a_campaign_writes_its_audience_once_a_day_and_logs_contacts_and_who_was_held_out(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    made = [
        dg.materialize(
            [campaign_audiences],
            resources={"home": HomeResource(), "warehouse": WarehouseResource(home=HomeResource())},
        )
        for _ in range(2)
    ]
    assert all(result.success for result in made)
    files = sorted(file.relative_to(home.reports / "audiences") for file in home.reports.rglob("*.csv"))
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}.csv"
    assert [file.as_posix() for file in files] == [f"re_engagement/{today}"]
    left_out = made[0].asset_materializations_for_node("campaign_audiences")[0].metadata["left_out"].value
    assert "fewer than 1 members" in left_out["welcome"]  # nobody is new
    contacts = ContactLog(home.contacts).read()
    reached = contacts.filter(pc.invert(contacts["is_held_out"]))["user_id"].to_pylist()
    written = pyarrow.csv.read_csv(home.reports / "audiences" / "re_engagement" / today)
    assert written["user_id"].to_pylist() == reached
    assert sorted(contacts["user_id"].to_pylist()) == ["ann", "bob"]
