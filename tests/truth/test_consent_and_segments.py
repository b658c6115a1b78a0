"""Nobody is described, placed or trained on without consent, and segments are the planted personas."""

from __future__ import annotations

import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from ml.bundle import current_version
from ml.home import Home
from orchestration.warehouse.frames import frames_as_of
from orchestration.warehouse.warehouse import Warehouse


@pytest.mark.parametrize("days_ago", [0, 10])
def test_nobody_without_consent_is_trained_on(
    never_consented: set[str], materialized_home: Home, mart, days_ago: int
) -> None:
    newest = mart("select max(last_seen_at) as at from users")["at"][0]
    moment = (newest - pd.Timedelta(days=days_ago)).to_pydatetime() if days_ago else None
    frames = frames_as_of(Warehouse(materialized_home.warehouse).read, moment)
    trained = {*frames.interactions["user_id"].to_pylist(), *frames.users["user_id"].to_pylist()}
    assert len(never_consented) > 10
    assert len(trained) > 100
    assert not never_consented & trained


def test_nobody_without_consent_has_a_segment_or_is_published(
    never_consented: set[str], materialized_home: Home, mart
) -> None:
    assert not never_consented & set(mart("select user_id from user_segments")["user_id"])
    version = current_version(materialized_home.published)
    assert version is not None
    users = pd.read_parquet(materialized_home.published / version / "users.parquet")
    described = users[users["user_id"].isin(never_consented)]
    assert described["segment"].isna().all()


def test_the_mart_of_users_says_who_never_consented(never_consented: set[str], mart) -> None:
    users = mart("select user_id, has_personalization_consent as consents from users")
    assert not users.loc[users["user_id"].isin(never_consented), "consents"].any()
    assert users["consents"].sum() > 100


def test_segments_of_people_with_evidence_are_their_planted_personas(truth, mart) -> None:
    planted = truth("users").dropna(subset=["persona"]).set_index("user_id")["persona"]
    rows = mart(
        "select s.user_id, s.segment from user_segments s join users u using (user_id) where u.sessions >= 4"
    )
    found = rows.set_index("user_id")["segment"]
    both = pd.concat([planted, found], axis=1, join="inner")
    assert len(both) > 60
    assert adjusted_rand_score(both["persona"], both["segment"]) > 0.45


def test_memberships_are_shares_of_one_person(mart) -> None:
    rows = mart("from user_segments")
    shares = rows.filter(regex=r"^membership_\d+$")
    assert shares.apply(lambda column: column.between(0, 1)).all(axis=None)
    assert (shares.sum(axis=1) - 1).abs().max() < 1e-6
    assert (shares.to_numpy().argmax(axis=1) + 1 == rows["segment"]).mean() > 0.99
