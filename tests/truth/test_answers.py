"""The service personalizes nothing for people without consent, on the whole simulated site."""

from __future__ import annotations

import asyncio

import pandas as pd

from ml.home import Home
from ml.settings import load_site_settings
from serving.recommend.answers import answer
from serving.requests import RecommendationRequest
from serving.start import ServiceConfig
from serving.tessera import Tessera

PEOPLE = 60


def test_people_without_consent_get_what_everybody_gets(
    changing_home: Home, never_consented: set[str], granted: set[str], events: pd.DataFrame
) -> None:
    known = set(events["user_id"].dropna())
    people = sorted(never_consented)[:PEOPLE]
    consenting = sorted(granted & known)[:PEOPLE]

    async def ask() -> list[dict]:
        settings = load_site_settings(changing_home).settings
        config = ServiceConfig(home=changing_home, settings=settings, bundled=changing_home.path / "no-bento")
        tessera = Tessera(config, seed=1)
        await tessera.open()
        try:
            return [
                answer(
                    tessera,
                    RecommendationRequest(**{"user_id" if person in known else "anonymous_id": person}, k=5),
                )
                for person in (*people, *consenting)
            ]
        finally:
            await tessera.close()

    answers = asyncio.run(ask())
    assert len(people) > 10
    assert not any(reply["personalized"] or reply.get("segment") for reply in answers[: len(people)])
    assert sum(reply["personalized"] for reply in answers[len(people) :]) > 10
