"""Nothing is personal for people without consent: no answer, profile, question, experiment or audience."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from ml.home import Home
from ml.settings import load_site_settings
from orchestration.cli import app
from orchestration.defs.campaigns import campaign_audiences
from orchestration.defs.resources import HomeResource, WarehouseResource
from tests.truth.personal_answers import (
    PersonalService,
    count_personal_answers,
    name_people,
    personal_service,
    send_newcomers,
)

NEWCOMERS = 60


@pytest.fixture
def site(small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the site's folder, whose files may be changed."""
    folder = Path(shutil.copytree(small_site, tmp_path / "site"))
    monkeypatch.setenv("TESSERA_SITE", str(folder))
    return folder


@pytest.fixture
def service(changing_home: Home, site: Path, events: pd.DataFrame) -> Iterator[PersonalService]:
    """The service of the site, a day and more after its last event."""
    now = events["at"].max().to_pydatetime().replace(tzinfo=dt.UTC) + dt.timedelta(hours=30)
    settings = load_site_settings(changing_home).settings
    with personal_service(changing_home, site, settings, now) as service:
        yield service


def test_a_person_without_consent_gets_what_a_stranger_gets_from_every_route(
    service: PersonalService, never_consented: set[str], granted: set[str], events: pd.DataFrame
) -> None:
    items = sorted(events["item_id"].dropna().unique())
    people = [*name_people(sorted(never_consented), events), *send_newcomers(service, NEWCOMERS, items)]
    assert len(people) > NEWCOMERS + 10
    assert count_personal_answers(service, people) == {}
    # The same rules, experiments and routes know those who consent.
    known = set(events["user_id"].dropna())
    personal = count_personal_answers(service, name_people(sorted(granted & known)[:60], events))
    assert set(personal) >= {"recommendations", "decisions", "experiments", "profile"}
    assert min(personal[name] for name in ("recommendations", "experiments", "profile")) > 50


def test_nobody_without_consent_is_in_an_audience(
    changing_home: Home, site: Path, never_consented: set[str], mart, tmp_path: Path
) -> None:
    segments = [*mart("select distinct name from user_segments where name is not null")["name"]]
    segments += [
        "engagement:one-time",
        "engagement:occasional",
        "device:desktop",
        "funnel:lookers",
        "page_views > 0",
    ]
    written: set[str] = set()
    for number, segment in enumerate(segments):
        out = tmp_path / f"{number}.csv"
        place = ["--home", str(changing_home.path)]
        done = CliRunner().invoke(app, ["audience", segment, "--out", str(out), "--channel", "on_site", *place])
        if out.exists():
            written |= {row["user_id"] for row in csv.DictReader(out.open(encoding="utf-8"))}
        else:
            assert "nobody may be singled out" in " ".join(done.output.split()), done.output
    assert len(written) > 100
    assert not written & never_consented


def test_nobody_without_consent_is_in_a_campaign(
    changing_home: Home, site: Path, never_consented: set[str]
) -> None:
    knobs = yaml.safe_load((site / "settings.yaml").read_text(encoding="utf-8"))
    knobs["segmentation"]["campaigns"] = {
        "everybody": {"segment": "page_views > 0", "exclude_contacted_days": 0, "hold_out": 0.0}
    }
    knobs["segmentation"]["audiences"] = {"channel": "on_site"}
    (site / "settings.yaml").write_text(yaml.safe_dump(knobs), encoding="utf-8")
    place = HomeResource(path=str(changing_home.path))
    resources = {"home": place, "warehouse": WarehouseResource(home=place)}
    assert dg.materialize([campaign_audiences], resources=resources).success
    (file,) = (changing_home.reports / "audiences" / "everybody").glob("*.csv")
    written = {row["user_id"] for row in csv.DictReader(file.open(encoding="utf-8"))}
    assert len(written) > 100
    assert not written & never_consented
