from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.segmentation import fit_segmentation, load_segmentation
from ml.segmentation.clusters.identity import compute_migration
from ml.segmentation.clusters.validation import PredictiveValidity, SegmentOutcome
from ml.segmentation.output import segment_table
from ml.segmentation.profiles.behaviour import SegmentBehaviour, TypicalSession
from ml.segmentation.profiles.feedback import SegmentFeedback
from ml.segmentation.profiles.report import ReportSupplement, _build_funnel, write_report
from ml.segmentation.user_removal import REPORT_FILE, remove_example_users
from ml.settings.segmentation import SegmentationSettings

if TYPE_CHECKING:
    from conftest import Planted

BEHAVIOUR = SegmentBehaviour(
    sessions=100,
    funnel={"view": 100, "cart": 20, "checkout": 10, "purchase": 5},
    mixes={"daypart": {"evening": 1.0}},
    median_pages=3.0,
    median_minutes=2.0,
    weekly_users=(4, 5, 6, 7),
    typical=(TypicalSession("usual", "Monday", 9, "mobile", "mail", 3, 2.0, "cart"),),
)
SIGNAL = {"signal": "hover:price", "lift": 0.5, "lift_low": 0.2, "lift_high": 0.9, "visits": 1234}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the report in")
def test_the_report_opens_in_a_browser_without_external_requests(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    table, _ = planted()
    segmentation = fit_segmentation(table, quick)
    segmentation.profiles[1] = replace(segmentation.profiles[1], name="Fans & <friends>")
    assignments = segmentation.assign(table)
    before = assignments.set_column(2, "name", pa.array(["Old"] * 900))
    segmentation.profiles[:] = [
        replace(profile, behaviour=BEHAVIOUR, feedback=SegmentFeedback(7, 3)) for profile in segmentation.profiles
    ]
    supplement = ReportSupplement(
        moves=compute_migration(before, assignments),
        validity=[
            PredictiveValidity("purchases", 900, 0.2, 0.01, 0.02, 0.005, (SegmentOutcome(1, 300, 2.0, 1.5, 2.5),))
        ],
        signals={"everybody": [SIGNAL]},
    )
    file = tmp_path / "report.html"
    write_report(file, segmentation, table, quick, supplement)
    requests: list[str] = []
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(file.as_uri())
        assert page.title() == "Segments of 900 users"
        assert page.locator("section.card").count() == 4
        assert page.get_by_role("heading", name="Fans & <friends>").count() == 1
        headings = page.locator("h2").all_inner_texts()
        pictures = page.evaluate("Array.from(document.images).every(i => i.complete && i.naturalWidth > 100)")
        browser.close()
    assert pictures is True
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert headings == [
        "Who they are",
        "Map of users",
        "Side by side",
        "Funnel by segment",
        "What goes along with a purchase",
        "Who moved since the previous run",
        "How reliable are they?",
        "How users are assigned to segments",
        "What to try next",
    ]


def test_what_goes_along_with_a_purchase_is_not_called_its_cause(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    table, _ = planted(users=500, segments=2)
    segmentation = fit_segmentation(table, quick)
    supplements = {
        "asked nobody": ReportSupplement(),
        "none": ReportSupplement(goal="signup", signals={}),
        "some": ReportSupplement(signals={"all": [SIGNAL], "Fans": [{**SIGNAL, "signal": "custom:zoom_in"}]}),
    }
    pages = {}
    for name, supplement in supplements.items():
        write_report(tmp_path / "report.html", segmentation, table, quick, supplement)
        pages[name] = (tmp_path / "report.html").read_text(encoding="utf-8")
    for visits, signal in (("all", "hover on price"), ("Fans", "zoom in")):
        row = f'<td>{visits}</td><td class="text">{signal}</td><td>+50%</td><td>+20% and +90%</td><td>1,234</td>'
        assert row in pages["some"]
    assert "only an experiment tells" in pages["some"]
    assert "goes along with a signup" in pages["none"]
    assert "No small action goes along with it for certain" in pages["none"]
    assert "goes along with" not in pages["asked nobody"]


def test_the_bars_of_the_funnel_have_one_scale(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    """20 of 100 visits reach the cart, 10 the checkout and 5 end in a purchase; the other segment half of it."""
    segmentation = fit_segmentation(planted(users=500, segments=2)[0], quick)
    half = replace(BEHAVIOUR, funnel={"view": 200, "cart": 20, "checkout": 10, "purchase": 5})
    segmentation.profiles[:] = [
        replace(profile, behaviour=behaviour)
        for profile, behaviour in zip(segmentation.profiles, (BEHAVIOUR, half), strict=True)
    ]
    first, second = _build_funnel(segmentation.profiles)
    assert [step["width"] for step in first["steps"]] == pytest.approx([100, 50, 25])
    assert [step["width"] for step in second["steps"]] == pytest.approx([50, 25, 12.5])
    assert [step["lost"] for step in first["steps"]] == pytest.approx([0.8, 0.5, 0.5])


def test_steps_that_a_site_does_not_report_are_left_out_of_the_funnel(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    """Who counts as having come at least as far as the cart may have bought without one."""
    table, _ = planted(users=500, segments=2)
    segmentation = fit_segmentation(table, quick)
    plain = replace(BEHAVIOUR, funnel={"view": 100, "cart": 5, "checkout": 5, "purchase": 5})
    segmentation.profiles[:] = [replace(profile, behaviour=plain) for profile in segmentation.profiles]
    write_report(tmp_path / "report.html", segmentation, table, quick)
    html = (tmp_path / "report.html").read_text()
    assert "<th>visits</th><th>purchase</th></tr>" in html


def test_segments_without_a_profile_are_counted(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    table, _ = planted()
    segmentation = fit_segmentation(table, quick)
    smallest = segmentation.profiles.pop()
    write_report(tmp_path / "report.html", segmentation, table, quick)
    html = (tmp_path / "report.html").read_text()
    assert f'id="segment-{smallest.segment}"' not in html
    assert "1 segment has fewer than 20 users and is not described" in html


def test_an_example_user_can_be_removed_from_a_report(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    table, _ = planted()
    segmentation = fit_segmentation(table, quick)
    leaving, *others = segmentation.profiles[0].examples
    write_report(tmp_path / "run" / REPORT_FILE, segmentation, table, quick)
    assert remove_example_users(tmp_path, [leaving, "u"]) == 1
    html = (tmp_path / "run" / REPORT_FILE).read_text()
    assert f"<code>{leaving}</code>" not in html
    assert all(f"<code>{user}</code>" in html for user in others)
    assert [file.name for file in (tmp_path / "run").iterdir()] == [REPORT_FILE]


def test_all_files_of_the_command_are_written(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    table, _ = planted(users=500, segments=3)
    segment_table(table, quick, tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "model",
        "report.html",
        "segments.json",
        "user_segments.parquet",
    ]
    users = pq.read_table(tmp_path / "out" / "user_segments.parquet")
    assert users.num_rows == 500
    assert users.column_names == ["user_id", "segment", "name", "membership_1", "membership_2", "membership_3"]
    document = json.loads((tmp_path / "out" / "segments.json").read_text())
    assert [segment["segment"] for segment in document["segments"]] == [1, 2, 3]
    assert sum(row["chosen"] for row in document["choice"]["table"]) == 1
    assert load_segmentation(tmp_path / "out" / "model").assign(table).equals(users)


def test_a_second_run_shows_who_moved(planted: Planted, quick: SegmentationSettings, tmp_path: Path) -> None:
    table, _ = planted(users=500, segments=3)
    first = segment_table(table, quick, tmp_path / "first")
    segment_table(table.slice(0, 480), quick, tmp_path / "second", previous=first, seed=9)
    assert "Who moved since the previous run" in (tmp_path / "second" / "report.html").read_text()


def test_categories_a_given_number_and_the_reading_reach_the_report(
    planted: Planted, quick: SegmentationSettings, tmp_path: Path
) -> None:
    table, truth = planted(users=300, segments=3)
    table = table.append_column("region", pa.array(np.array(["north", "south", "west"])[truth]))
    segmentation = segment_table(
        table, quick, tmp_path, categorical=["region"], segments=2, reading=["Read 300 rows & 10 columns."]
    )
    assert len(segmentation.ids) == 2
    assert {"region=north", "region=south", "region=west"} <= set(segmentation.preparation["features"])
    html = (tmp_path / "report.html").read_text()
    assert "Read 300 rows &amp; 10 columns." in html
    assert "2 segments were asked for; " in html
