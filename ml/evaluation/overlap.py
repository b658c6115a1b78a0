"""How a table of test interactions relates to the training: what of it can judge a model, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import Bools
from ml.dataset.ids import Ids
from ml.dataset.interactions import Interactions
from ml.errors import InvalidInputError
from ml.evaluation.bootstrap import FEWEST_JUDGES


@dataclass(frozen=True)
class Overlap:
    """Counts of a test.

    Attributes:
        n_users: Users of the test who liked something.
        n_pairs: Interactions of the test.
        users_unknown: Users whom the model knows nothing about; they get its list for strangers.
        items_unknown: Items that the model cannot recommend.
        pairs_of_unknown_items: Interactions with such items, which are missed whatever the model does.
        pairs_in_training: Interactions that the training holds too; no list has them, so that they are missed.
        pairs_before_end: Interactions older than the newest of the training; None where one of both has no times.
    """

    n_users: int
    n_pairs: int
    users_unknown: int
    items_unknown: int
    pairs_of_unknown_items: int
    pairs_in_training: int
    pairs_before_end: int | None

    @classmethod
    def count(cls, test: Interactions, past: Interactions, has_user: Bools, catalogue: Ids) -> Overlap:
        """Count.

        Args:
            test: What the users then did, without what they rejected.
            past: Interactions of the training.
            has_user: Whether the model knows something about a user of the test: bool (n_users,).
            catalogue: The items that the model can recommend.
        """
        has_item = catalogue.rows(test.items.values) >= 0
        older = None
        if test.timestamps is not None and past.timestamps is not None and past.n_pairs:
            older = int((test.timestamps < past.timestamps.max()).sum())
        return cls(
            len(test.users),
            test.n_pairs,
            int((~has_user).sum()),
            int((~has_item).sum()),
            int((~has_item[test.columns]).sum()),
            int(_in_training(test, past).sum()),
            older,
        )

    def require_something_to_judge(self, model: str, is_for_everybody: bool) -> None:
        """Refuse a test that says nothing about the model.

        Args:
            model: Name of the model, for the message.
            is_for_everybody: Whether the model has one list for all people, strangers included.

        Raises:
            InvalidInputError: No interaction of the test can be a hit, or no user of it is known to the model.
        """
        if self.pairs_of_unknown_items == self.n_pairs:
            raise InvalidInputError(
                f"there is nothing to judge by: none of the {self.items_unknown:,} items of the test is in the "
                "training. Check that both tables write their ids alike"
            )
        if self.pairs_in_training == self.n_pairs:
            raise InvalidInputError(
                f"there is nothing to judge by: every interaction of the test, {self.n_pairs:,} in all, is in the "
                "training too. Hold some back before you fit"
            )
        if self.pairs_in_training + self.pairs_of_unknown_items >= self.n_pairs:
            raise InvalidInputError(
                "there is nothing to judge by: every interaction of the test is in the training too or with an "
                "item that is not in it"
            )
        if self.users_unknown == self.n_users and not is_for_everybody:
            raise InvalidInputError(
                f"there is nothing to judge {model} by: none of the {self.n_users:,} users of the test is in the "
                "training, so that all of them would get its list for strangers"
            )

    def warnings(self) -> list[str]:
        """Sentences about what makes the figures say less than they seem to."""
        lines = []
        if self.users_unknown:
            share = _share(self.users_unknown, self.n_users)
            hint = "; check that both tables write their ids alike" if self.users_unknown == self.n_users else ""
            lines.append(
                f"{share} users of the test are unknown to the model and get its list for strangers{hint}"
            )
        if self.pairs_of_unknown_items:
            share = _share(self.pairs_of_unknown_items, self.n_pairs)
            lines.append(
                f"{share} interactions of the test are with {self.items_unknown:,} items that the model does not "
                "know; they count as missed"
            )
        if self.pairs_in_training:
            share = _share(self.pairs_in_training, self.n_pairs)
            lines.append(
                f"{share} interactions of the test are in the training too; nothing is recommended twice, so that "
                "they count as missed"
            )
        if self.pairs_before_end:
            share = _share(self.pairs_before_end, self.n_pairs)
            lines.append(
                f"{share} interactions of the test are older than the newest of the training: the model has seen "
                "what came later, which makes it look better than it will be"
            )
        if self.n_users < FEWEST_JUDGES:
            judges = "1 user judges" if self.n_users == 1 else f"{self.n_users:,} users judge"
            lines.append(f"only {judges}; fewer than {FEWEST_JUDGES} can seldom tell models apart")
        return lines

    def as_dict(self) -> dict[str, int]:
        """The counts that are known, by name."""
        counts = {
            "users_unknown": self.users_unknown,
            "items_unknown": self.items_unknown,
            "pairs": self.n_pairs,
            "pairs_of_unknown_items": self.pairs_of_unknown_items,
            "pairs_in_training": self.pairs_in_training,
        }
        return counts if self.pairs_before_end is None else {**counts, "pairs_before_end": self.pairs_before_end}


def _in_training(test: Interactions, past: Interactions) -> Bools:
    """Which pairs of the test the training holds: bool (n_pairs,)."""
    rows = past.users.rows(test.users.values)[test.rows]
    columns = past.items.rows(test.items.values)[test.columns]
    width = np.int64(len(past.items))
    keys = rows.astype(np.int64) * width + columns
    held = past.rows.astype(np.int64) * width + past.columns
    return np.asarray((rows >= 0) & (columns >= 0) & np.isin(keys, held))


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})"
