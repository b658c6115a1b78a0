"""How far apart the planted personas stand: what classifiers and clusterings make of natural user features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.sources.simulator.site import Site
from ml.sources.simulator.truth import truth_tables

COLUMNS = [
    "event_id", "event_type", "occurred_at", "user_id", "anonymous_id", "item_id", "value", "device_type",
    "timezone",
]  # fmt: skip
RATED_TYPES = (
    "video_play", "form_start", "search", "hover", "cursor", "like", "bookmark", "share", "comment",
    "add_to_cart", "custom:gallery_zoom",
)  # fmt: skip
FOLDS = 5
COMPONENTS = 8
WINSORISED_AT = 4.0


@dataclass(frozen=True)
class Separation:
    """accuracy: of a logistic regression on the true personas, five-fold. adjusted_rand: of k-means, k given."""

    accuracy: float
    adjusted_rand: float
    users: int


def measure_separation(site: Site, days: int, seed: int = 0) -> Separation:
    """Simulate the site and measure; bots and one-time visitors, who have no persona, are left out."""
    truth = truth_tables(site, days)["users"].to_pandas()
    truth = truth[~truth["is_bot"]].set_index("user_id")
    features = user_features(site.events(0, days), site.catalogue(0, days)).reindex(truth.index)
    personas = truth["persona"].to_numpy(dtype=object)
    classifier = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    predicted = cross_val_predict(classifier, features.to_numpy(), personas, cv=folds)
    scaled = make_pipeline(SimpleImputer(), StandardScaler()).fit_transform(features.to_numpy())
    scaled = PCA(COMPONENTS, random_state=seed).fit_transform(np.clip(scaled, -WINSORISED_AT, WINSORISED_AT))
    clusters = KMeans(site.settings.personas, n_init=5, random_state=seed).fit_predict(scaled)
    return Separation(
        accuracy=float((predicted == personas).mean()),
        adjusted_rand=float(adjusted_rand_score(personas, clusters)),
        users=len(truth),
    )


def user_features(events: Iterable[pa.Table], items: pa.Table) -> pd.DataFrame:
    """One row a person, indexed by its canonical id; NaN where a person gives no evidence.

    Shares of page views by category, device and quarter of the local day; micro-interactions per page view;
    mean scroll depth, log mean dwell, log mean price looked at, log number of page views.
    """
    frame = pa.concat_tables([table.select(COLUMNS) for table in events]).to_pandas()
    frame = frame.dropna(subset=["event_id", "event_type"]).drop_duplicates("event_id")
    frame = frame[np.isfinite(frame["value"].fillna(0.0))]
    frame["person"] = _person(frame)
    views = frame[frame["event_type"] == "page_view"]
    on_items = views.dropna(subset=["item_id"])
    catalogue = items.select(["item_id", "category", "price"]).to_pandas().set_index("item_id")
    pages = on_items.groupby("person").size()
    quarter = pd.Series(0, index=views.index)
    for zone, rows in views.groupby("timezone").groups.items():
        quarter[rows] = views.loc[rows, "occurred_at"].dt.tz_convert(str(zone)).dt.hour // 6
    counts = pd.crosstab(frame["person"], frame["event_type"]).reindex(columns=list(RATED_TYPES), fill_value=0)
    price = np.log(on_items["item_id"].map(catalogue["price"])).groupby(on_items["person"]).mean()
    dwell = frame[frame["event_type"] == "page_exit"].groupby("person")["value"].mean()
    features: pd.DataFrame = pd.concat(
        [
            _shares(on_items["person"], on_items["item_id"].map(catalogue["category"])),
            _shares(views["person"], views["device_type"]),
            _shares(views["person"], quarter.map("quarter_{}".format)),
            counts.div(pages, axis=0),
            frame[frame["event_type"] == "scroll"].groupby("person")["value"].mean().rename("scroll"),
            np.log(dwell).rename("dwell"),
            price.rename("price"),
            np.log1p(pages).rename("pages"),
        ],
        axis=1,
    )
    return features.replace([np.inf, -np.inf], np.nan)


def _person(frame: pd.DataFrame) -> pd.Series:
    """The known user, or whom the device was identified with if that is one user, or the device."""
    links = frame.loc[frame["event_type"] == "identify", ["anonymous_id", "user_id"]].dropna().drop_duplicates()
    links = links[~links["anonymous_id"].duplicated(keep=False)]
    owner = pd.Series(links["user_id"].to_numpy(), index=links["anonymous_id"])
    by_device = frame["anonymous_id"].map(owner).fillna(frame["anonymous_id"])
    return frame["user_id"].fillna(by_device)


def _shares(person: pd.Series, kind: pd.Series) -> pd.DataFrame:
    return pd.crosstab(person, kind, normalize="index")
