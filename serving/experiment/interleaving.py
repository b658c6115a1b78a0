"""Two rankers in one answer: champion and challenger draft it, and the log says whose pick each place was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.experiments.rankers.interleaving import interleave_team_draft
from serving.recommend.recommending import Recommended

TEAMS = ("champion", "challenger")


@dataclass(frozen=True)
class Drafted:
    """The answer, and what its `served` event says besides."""

    answer: Recommended
    logged: Mapping[str, Any]


class Interleaving:
    """Drafts answers; `seed` makes the coins fall the same each time, None differently."""

    def __init__(self, seed: int | None = None) -> None:
        self._coins = np.random.default_rng(seed)

    def draft(self, champion: Recommended, challenger: Recommended, challenger_version: str | None) -> Drafted:
        """Join two answers of one length to the same request into one of that length.

        A place has no propensity of its own: clicks are compared by team, not weighed.
        """
        lists = [[item["item_id"] for item in one.items] for one in (champion, challenger)]
        found = interleave_team_draft(lists[0], lists[1], len(champion.items), self._coins)
        told = [{item["item_id"]: item for item in one.items} for one in (champion, challenger)]
        items = [
            {**told[team][item], "rank": rank}
            for rank, (item, team) in enumerate(zip(found.items, found.teams, strict=True), start=1)
        ]
        answer = replace(
            champion,
            items=items,
            propensities=[],
            is_personalized=champion.is_personalized or challenger.is_personalized,
        )
        teams = [TEAMS[team] for team in found.teams]
        return Drafted(answer, {"teams": teams, "challenger_model_version": challenger_version})
