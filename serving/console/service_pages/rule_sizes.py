"""Sizes of segments by rule, among the published people who consent to personalization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import Bools
from ml.expressions.language import FieldType, compile_expression
from ml.segmentation.audiences.rules import SITE_FAMILY, RuleSegment, add_rfm_scores, audience_fields
from ml.segmentation.consent import CONSENT, mask_consenting
from serving.bundles.served_bundle import ServedBundle

LEARNED = frozenset({"segment", "persona", "trained_until"})
"""Columns of the bundle that the mart `users` does not have, so that no rule may read them."""


@dataclass(frozen=True)
class PublishedPeople:
    """The people of a bundle, with their quintiles of recency, frequency and money.

    Attributes:
        table: A row a person.
        consents: Who consents to personalization; the facts of the others are not published.
        counted: Sizes by rules, which a bundle does not change.
    """

    table: pa.Table
    consents: Bools
    counted: dict[tuple[RuleSegment, ...], list[int]] = field(default_factory=dict)

    @classmethod
    def of_users(cls, users: pa.Table) -> PublishedPeople:
        """Return the people of a table such as the mart `users`."""
        table = users.select([name for name in users.column_names if name not in LEARNED])
        has_consents = CONSENT in users.column_names
        consents = mask_consenting(users) if has_consents else np.ones(users.num_rows, dtype=bool)
        return cls(add_rfm_scores(table), np.asarray(consents, dtype=bool))

    @property
    def in_all(self) -> int:
        """How many people are published, with or without consent."""
        return int(self.table.num_rows)

    @property
    def consenting(self) -> int:
        """How many of them consent."""
        return int(self.consents.sum())

    @property
    def fields(self) -> Mapping[str, FieldType]:
        """What a rule may read: nothing that says who somebody is."""
        return audience_fields(self.table.schema)

    def mask(self, when: str) -> Bools:
        """Return for whom of those who consent a condition holds.

        Raises:
            ExpressionError: The text is no condition over the fields.
        """
        holds = compile_expression(when, self.fields).mask(self.table)
        return np.asarray(holds, dtype=bool) & self.consents

    def count(self, rules: Sequence[RuleSegment]) -> list[int]:
        """Return the size of each segment: in a family the first rule that holds counts, in the site's all do.

        Raises:
            SegmentRuleError: A rule reads a field that is not there.
        """
        key = tuple(rules)
        if key not in self.counted:
            self.counted.clear()
            self.counted[key] = list(self._count(key))
        return self.counted[key]

    def average(self, column: str, mask: Bools) -> float | None:
        """Return the average of a number over some people; None where none of them has it."""
        value = pc.mean(self.table[column].filter(pa.array(mask)).cast(pa.float64())).as_py()
        return None if value is None else float(value)

    def _count(self, rules: Sequence[RuleSegment]) -> list[int]:
        taken: dict[str, Bools] = {}
        counts = []
        for rule in rules:
            holds = np.asarray(rule.compiled(self.fields).mask(self.table), dtype=bool) & self.consents
            if rule.family != SITE_FAMILY:
                before = taken.get(rule.family, np.zeros(len(holds), dtype=bool))
                taken[rule.family] = before | holds
                holds &= ~before
            counts.append(int(holds.sum()))
        return counts


_PEOPLE: WeakKeyDictionary[ServedBundle, PublishedPeople] = WeakKeyDictionary()


def find_people(bundle: ServedBundle) -> PublishedPeople | None:
    """Return the people of the bundle that answers, prepared once; None where nobody is published."""
    if bundle.index is None or not bundle.index.bundle.users.num_rows:
        return None
    people = _PEOPLE.get(bundle)
    if people is None:
        people = _PEOPLE[bundle] = PublishedPeople.of_users(bundle.index.bundle.users)
    return people
