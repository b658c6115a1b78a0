"""People without consent to personalization to whom a route answers otherwise than to a stranger, of 1,000.

The people are those of a simulated site, and such as come after its version was published.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from ml.home import Home
from ml.settings import load_site_settings
from tests.truth.event_frame import find_never_consented, read_event_frame
from tests.truth.personal_answers import count_personal_answers, name_people, personal_service, send_newcomers

PEOPLE = 1_000
ROUTES = ("recommendations", "decisions", "experiments", "profile", "onboarding")
TESSERA = str(Path(sys.executable).with_name("tessera"))


def measure(size: float) -> Iterator[Figure]:
    """`size` scales the site and the people; TRUTH_HOME names a finished home in the place of a new one."""
    people = round(PEOPLE * size)
    with tempfile.TemporaryDirectory() as folder:
        home, site = Home(Path(folder) / "home"), Path(folder) / "site"
        site.mkdir()
        _build(home, size)
        events = read_event_frame(home)
        now = events["at"].max().to_pydatetime().replace(tzinfo=dt.UTC) + dt.timedelta(hours=30)
        never = sorted(find_never_consented(events))[:people]
        items = sorted(events["item_id"].dropna().unique())
        with personal_service(home, site, load_site_settings(home).settings, now) as service:
            tried = name_people(never, events) + send_newcomers(service, people - len(never), items)
            personal = count_personal_answers(service, tried)
    for route in ROUTES:
        yield Figure(f"without_consent.{route}", personal[route], "people", rows=len(tried))


def _build(home: Home, size: float) -> None:
    """Copy the home that TRUTH_HOME names, or simulate and materialize a site."""
    if "TRUTH_HOME" in os.environ:
        shutil.copytree(os.environ["TRUTH_HOME"], home.path)
        return
    users = max(100, round(2_000 * size))
    for command in (["simulate", "--users", str(users)], ["materialize"]):
        subprocess.run([TESSERA, *command, "--home", str(home.path)], check=True, capture_output=True)
