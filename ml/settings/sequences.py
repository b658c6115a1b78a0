"""Settings of the section `sequences`: visits as paths, and what brings conversions about."""

from typing import Literal

from ml.settings.section import Section, knob

Goal = Literal["purchase", "checkout", "signup", "subscribe"]


class SequenceSettings(Section):
    """How visits are read as paths, and conversions credited to what brought them about."""

    goal: Goal = knob(
        "purchase",
        "The event type that ends a path as converted. Purchases count as they do in `sessions`; a site that sells"
        " nothing names what it wants instead.",
    )
    order_max: int = knob(
        4,
        "Most states before a move from which the next one is told. The order of each chain is chosen by visits"
        " that it did not see.",
        unit="states",
        ge=1,
        le=4,
    )
    pages_max: int = knob(
        200,
        "Pages that are states of their own, the most visited ones. The others of a category are one state.",
        unit="pages",
        ge=1,
    )
    minimum_people: int = knob(
        20,
        "Nothing is published about fewer people, so that no one can be singled out. States and channels of fewer"
        " become one.",
        unit="people",
        ge=2,
    )
    intent_events_max: int = knob(
        1_000_000,
        "Newest actions of visitors from which the intent of a visit is learned; more take longer and add little.",
        unit="events",
        ge=1_000,
    )
    lookback_days: float = knob(
        30,
        "Days before a conversion in which a visit has a part in it; the usual window of analytics products.",
        unit="days",
        gt=0,
    )
    resamples: int = knob(
        100,
        "Resamples of people from which intervals are taken; the bounds are then good to a tenth of the width.",
        unit="resamples",
        ge=20,
    )
