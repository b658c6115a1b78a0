"""The site's marginals beside those of the Globo click log, which its constants were fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml.sources.simulator.browsing import MAX_PAGES
from ml.sources.simulator.site import Site

GLOBO_UNTIL_MS = 1_508_284_800_000  # 2017-10-18; later timestamps of the log are outliers
GLOBO_UTC_OFFSET_HOURS = -3
GLOBO_DAYS = 17
POPULARITY_PLACES = 500
MIN_CLICKS = 2  # the Globo log holds no session of one click
COLUMNS = [
    "event_type",
    "session_id",
    "item_id",
    "user_id",
    "anonymous_id",
    "occurred_at",
    "received_at",
    "timezone",
    "device_type",
]


@dataclass(frozen=True)
class Marginals:
    """What is compared, over sessions of 2 to 50 clicks; a click is the view of an item's page.

    session_lengths (k,): share of sessions with 2, 3, … clicks. clicks_per_user (users,): sorted. popularity
    (days, items): share of a day's clicks that its most clicked items take together, running sums, mean over
    the days. hours (24,): share of clicks by local hour.
    """

    session_lengths: np.ndarray
    clicks_per_user: np.ndarray
    popularity: np.ndarray
    hours: np.ndarray


def marginals(clicks: pd.DataFrame) -> Marginals:
    """Marginals of clicks with the columns `user`, `session`, `item`, `day` and `local_hour`."""
    length = clicks.groupby("session")["item"].transform("size")
    clicks = clicks[(length >= MIN_CLICKS) & (length <= MAX_PAGES)]  # longer ones are bots
    lengths = np.bincount(clicks.groupby("session").size().to_numpy())[MIN_CLICKS:]
    curves = [
        _running_share(items.value_counts().to_numpy(), POPULARITY_PLACES)
        for _, items in clicks.groupby("day")["item"]
    ]
    hours = np.bincount(clicks["local_hour"].to_numpy(), minlength=24)
    return Marginals(
        session_lengths=lengths / lengths.sum(),
        clicks_per_user=np.sort(clicks.groupby("user").size().to_numpy()),
        popularity=np.mean(curves, axis=0),
        hours=hours / hours.sum(),
    )


def globo_marginals(folder: Path) -> Marginals:
    """Marginals of `clicks.parquet` in the folder of the Globo log, whose hours are those of Brasília."""
    table = pq.read_table(
        folder / "clicks.parquet", columns=["user_id", "session_id", "click_article_id", "click_timestamp"]
    )
    raw = table.to_pandas()
    raw = raw[raw["click_timestamp"] < GLOBO_UNTIL_MS]
    local_hour = raw["click_timestamp"] // 3_600_000 + GLOBO_UTC_OFFSET_HOURS
    return marginals(
        pd.DataFrame(
            {
                "user": raw["user_id"],
                "session": raw["session_id"],
                "item": raw["click_article_id"],
                "day": local_hour // 24,
                "local_hour": local_hour % 24,
            }
        )
    )


def site_marginals(site: Site, since_day: int, days: int = GLOBO_DAYS) -> Marginals:
    """Marginals of people's page views in a stretch of the site's days, by default as long as the Globo log."""
    parts = [_views(table) for table in site.events(since_day, since_day + days)]
    return marginals(pd.concat(parts, ignore_index=True))


def plot_marginals(ours: Marginals, theirs: Marginals, file: Path) -> None:
    """Four panels, simulator beside Globo, into an image file."""
    from matplotlib.figure import Figure  # noqa: PLC0415 a second of import that only the plot needs

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    axes = figure.subplots(2, 2)
    for marginal, name, style in ((theirs, "Globo", "o-"), (ours, "simulator", "s--")):
        lengths = marginal.session_lengths[:14]
        axes[0, 0].plot(MIN_CLICKS + np.arange(len(lengths)), lengths, style, label=name, markersize=4)
        users = marginal.clicks_per_user
        axes[0, 1].plot(users, 1 - np.arange(len(users)) / len(users), style[1:], label=name)
        axes[1, 0].plot(1 + np.arange(len(marginal.popularity)), marginal.popularity, style[1:], label=name)
        axes[1, 1].plot(np.arange(24), marginal.hours, style, label=name, markersize=4)
    titles = {
        (0, 0): ("Clicks per session", "clicks", "share of sessions"),
        (0, 1): ("Clicks per user in 17 days", "clicks", "share of users with as many"),
        (1, 0): ("Popularity on a day", "most clicked items", "share of clicks"),
        (1, 1): ("Hour of day", "local hour", "share of clicks"),
    }
    for place, (title, below, beside) in titles.items():
        axes[place].set(title=title, xlabel=below, ylabel=beside)
        axes[place].legend()
    axes[0, 0].set_yscale("log")
    axes[0, 1].set(xscale="log", yscale="log")
    axes[1, 0].set_xscale("log")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def _views(table: pa.Table) -> pd.DataFrame:
    frame = table.select(COLUMNS).to_pandas()
    frame = frame[
        (frame["event_type"] == "page_view")
        & frame["item_id"].notna()
        & (frame["device_type"] != "bot")
        & (frame["occurred_at"] <= frame["received_at"])  # one event of the future would count as a day of its own
    ]
    local_hour = pd.Series(0, index=frame.index)
    for zone, rows in frame.groupby("timezone").groups.items():
        local_hour[rows] = frame.loc[rows, "occurred_at"].dt.tz_convert(str(zone)).dt.hour
    return pd.DataFrame(
        {
            "user": frame["user_id"].fillna(frame["anonymous_id"]),
            "session": frame["session_id"],
            "item": frame["item_id"],
            "day": frame["occurred_at"].dt.floor("D"),
            "local_hour": local_hour,
        }
    )


def _running_share(counts: np.ndarray, places: int) -> np.ndarray:
    """(places,) share of all clicks on the 1, 2, … most clicked items, from descending counts."""
    running = np.cumsum(counts) / counts.sum()
    return np.pad(running[:places], (0, max(places - len(running), 0)), constant_values=1.0)
