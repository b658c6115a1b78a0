"""Interleaves the lists of two rankers into one answer; the log says whose pick each item was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml.experiments.rankers.interleaving import interleave_team_draft
from serving.recommend.recommendation import Recommendation

TEAMS = ("champion", "challenger")


class Interleaver:
    """Drafts one list from those of the champion and the challenger.

    Args:
        seed: Seed of the coin that decides who picks first; None for a different one each time.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._generator = np.random.default_rng(seed)

    def draft(
        self, champion: Recommendation, challenger: Recommendation, challenger_version: str | None
    ) -> Recommendation:
        """Combine two answers of one length to the same request into one of that length.

        The items have no propensities: clicks are compared by team and not weighted.
        """
        answers = (champion, challenger)
        draft = interleave_team_draft(champion.item_ids, challenger.item_ids, len(champion.items), self._generator)
        items_by_id = [{item["item_id"]: item for item in answer.items} for answer in answers]
        items = [
            {**items_by_id[team][item], "rank": rank}
            for rank, (item, team) in enumerate(zip(draft.items, draft.teams, strict=True), start=1)
        ]
        return replace(
            champion,
            items=items,
            propensities=[],
            is_personalized=champion.is_personalized or challenger.is_personalized,
            log_properties={
                "teams": [TEAMS[team] for team in draft.teams],
                "challenger_model_version": challenger_version,
            },
        )
