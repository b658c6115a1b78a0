"""The design of an experiment on the page Experiments: people, days and power, from the site's own history."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from ml.errors import InvalidInputError
from ml.experiments.definition.definition import Experiment
from ml.experiments.design.design import ExperimentDesign, design_experiment
from ml.experiments.design.planned_experiment import build_planned_experiment
from ml.experiments.design.published_baselines import PublishedBaselines, read_baselines
from ml.settings.experiments import ExperimentSettings
from serving.console.current_bundle import CurrentBundle
from serving.console.localized_texts import Numeral, say
from serving.console.page_parts import Cell, Form, FormField, Sheet

FIELDS = ("metric", "lift", "traffic", "shares", "power", "confidence", "inference", "cuped")
LABELS = {
    "lift": say("Smallest effect that matters, %"),
    "traffic": say("Share of the people who take part, %"),
    "shares": say("Shares of the variants, %, the control first"),
    "power": say("Power, %"),
    "confidence": say("Confidence, %"),
}
LIMITS = {"lift": (0.01, 999.0), "traffic": (0.1, 100.0), "power": (51.0, 99.9), "confidence": (51.0, 99.99)}
INFERENCES = [
    ("always_valid", say("at any time")),
    ("group_sequential", say("at five planned looks")),
    ("fixed", say("once, at the end")),
]
CUPED = [("yes", say("yes")), ("no", say("no"))]
MOST_VARIANTS = 10
ROUNDING_PERCENT = 0.5
"""By how much shares such as 33.3, 33.3 and 33.3 may miss 100%."""


@dataclass(frozen=True)
class DesignParts:
    """What the page shows of a design.

    Attributes:
        sheets: The answer with its curves, or why there is none yet.
        form: What the answer depends on; None where no metric can be planned.
        fault: What is wrong with a field; empty if nothing is.
    """

    sheets: list[Sheet]
    form: Form | None
    fault: str = ""


def build_design(bundle: CurrentBundle, settings: ExperimentSettings, query: Mapping[str, str]) -> DesignParts:
    """Build the form, and the answer where the address names a metric."""
    published = read_baselines(bundle.tables.read("experiment_baselines"))
    if not published.measured:
        return DesignParts([_nothing_sheet(published)], None)
    fields = {
        "metric": "",
        "lift": "5",
        "traffic": "100",
        "shares": "50 50",
        "power": f"{100 * settings.design_power:g}",
        "confidence": "95",
        "inference": INFERENCES[0][0],
        "cuped": "yes",
        **{name: query[name] for name in FIELDS if name in query},
    }
    form = _design_form(published, fields)
    if not fields["metric"]:
        return DesignParts([], form)
    try:
        design = _plan(published, settings, fields)
    except InvalidInputError as error:
        return DesignParts([], form, error.args[0])
    metric = fields["metric"].replace("_", " ")
    return DesignParts([_answer_sheet(design, settings, metric), _power_sheet(design), _lift_sheet(design)], form)


def _design_form(published: PublishedBaselines, fields: Mapping[str, str]) -> Form:
    metrics = [(name, name.replace("_", " ")) for name in sorted(published.measured)]
    return Form(
        "plan",
        "Plan an experiment",
        "/console/experiments#title-design",
        [
            FormField("metric", "Metric", fields["metric"], metrics),
            FormField("lift", LABELS["lift"], fields["lift"], hint="5", is_required=True),
            FormField("traffic", LABELS["traffic"], fields["traffic"], hint="100", is_required=True),
            FormField("shares", LABELS["shares"], fields["shares"], hint="50 50", is_required=True),
            FormField("power", LABELS["power"], fields["power"], hint="80", is_required=True),
            FormField("confidence", LABELS["confidence"], fields["confidence"], hint="95", is_required=True),
            FormField("inference", "The result is read", fields["inference"], INFERENCES),
            FormField("cuped", "History of the people narrows the interval", fields["cuped"], CUPED),
        ],
        "Plan",
        "How many people and days an experiment needs, with the variance and the visitors of the last weeks.",
    )


def _plan(
    published: PublishedBaselines, settings: ExperimentSettings, fields: Mapping[str, str]
) -> ExperimentDesign:
    """Plan what the fields describe.

    Raises:
        InvalidInputError: A field is wrong, or the metric cannot be planned.
    """
    metric = fields["metric"]
    if metric in published.faults:
        fault = published.faults[metric]
        raise InvalidInputError(say("{metric} cannot be planned: {fault}", metric=metric[:64], fault=fault))
    if metric not in published.measured:
        raise InvalidInputError(say("There is no metric {metric}; choose one of the list.", metric=metric[:64]))
    return design_experiment(
        _read_experiment(fields),
        published.measured[metric],
        power=_read_percent(fields, "power"),
        maximum_days=settings.design_maximum_days,
        cuped=_read_choice(fields, "cuped", CUPED) == "yes",
    )


def _read_experiment(fields: Mapping[str, str]) -> Experiment:
    return build_planned_experiment(
        fields["metric"],
        _read_percent(fields, "lift"),
        _read_percent(fields, "traffic"),
        _read_shares(fields["shares"]),
        alpha=round(1 - _read_percent(fields, "confidence"), 6),
        inference=_read_choice(fields, "inference", INFERENCES),
    )


def _read_percent(fields: Mapping[str, str], name: str) -> float:
    low, high = LIMITS[name]
    value = _to_number(fields[name])
    if value is None or not low <= value <= high:
        raise InvalidInputError(
            say(
                "{field}: {entry} is no number from {low} to {high}.",
                field=LABELS[name],
                entry=fields[name][:40],
                low=Numeral(f"{low:g}"),
                high=Numeral(f"{high:g}"),
            )
        )
    return round(value / 100, 8)


def _read_shares(text: str) -> list[float]:
    numbers = [_to_number(part) for part in re.split(r"[\s/;]+", text.strip())]
    shares = [number for number in numbers if number is not None and number > 0]
    are_legal = len(shares) == len(numbers) and 2 <= len(shares) <= MOST_VARIANTS
    if not are_legal or abs(sum(shares) - 100) > ROUNDING_PERCENT:
        raise InvalidInputError(
            say(
                "{field}: {entry} are not 2 to {most} numbers that make 100, such as 50 50.",
                field=LABELS["shares"],
                entry=text[:40],
                most=MOST_VARIANTS,
            )
        )
    return [share / sum(shares) for share in shares]


def _read_choice(fields: Mapping[str, str], name: str, options: Sequence[tuple[str, str]]) -> str:
    if fields[name] not in dict(options):
        legal = ", ".join(value for value, _ in options)
        raise InvalidInputError(
            say("{field} is {entry}; it may be {legal}.", field=name, entry=fields[name][:40], legal=legal)
        )
    return fields[name]


def _to_number(text: str) -> float | None:
    """Read a number, with a decimal point or comma and maybe a sign of per cent; None if it is none."""
    try:
        number = float(text.strip().removesuffix("%").replace(",", "."))
    except ValueError:
        return None
    return number if isfinite(number) else None


def _nothing_sheet(published: PublishedBaselines) -> Sheet:
    reason = next(iter(published.faults.values()), "")
    empty = say(
        "No metric can be planned yet. `tessera materialize` measures them once there are some weeks of visits of"
        " 100 people or more."
    )
    if reason:
        empty = say("No metric can be planned yet: {reason}.", reason=reason)
    return Sheet("design", "Plan an experiment", ["What", "Value"], [], empty=empty)


def _answer_sheet(design: ExperimentDesign, settings: ExperimentSettings, metric: str) -> Sheet:
    baseline = design.baseline
    days: Cell = design.days
    if days is None:
        days = say("more than {days}", days=settings.design_maximum_days)
    rows: list[list[Cell]] = [
        [say("People needed, all variants together"), design.units],
        [say("Of them control and one variant: planned_units"), design.units_per_pair],
        [say("Days of intake, in whole weeks"), days],
        [say("Days to watch the last people after it"), design.window_days],
        [say("New people a day, the last two weeks"), round(float(baseline.arrivals[-14:].mean()))],
        [say("Value of the metric in the last weeks"), _short(baseline.mean)],
        [say("Its standard deviation over people"), _short(baseline.standard_deviation)],
        [say("Of its variance the history explains, %"), round(100 * baseline.explained, 1)],
        [say("Planned effect, %"), round(100 * design.lift, 2)],
        [say("Chance of a false alarm, %"), round(100 * design.alpha, 2)],
    ]
    note = "What `tessera experiment design` prints, too. It holds for an experiment that runs to its planned end."
    return Sheet("design", say("Plan for {metric}", metric=metric), ["What", "Value"], rows, note)


def _power_sheet(design: ExperimentDesign) -> Sheet:
    planned = round(100 * design.power, 1)
    rows: list[list[Cell]] = [
        [day, round(float(people)), round(100 * float(power), 1), planned]
        for day, (people, power) in enumerate(zip(design.curve_units, design.curve_power, strict=True), start=1)
    ]
    note = "The chance to detect the planned effect after so many days of intake."
    return Sheet(
        "power",
        "Power by days",
        ["Day", "People", "Power %", "Planned power %"],
        rows,
        note,
        _lines(rows, {say("Power %"): 2, say("Planned power %"): 3}),
        is_half=True,
    )


def _lift_sheet(design: ExperimentDesign) -> Sheet:
    planned = round(100 * abs(design.lift), 2)
    lifts = {week: design.detectable_lift(7 * week) for week in range(1, len(design.curve_units) // 7 + 1)}
    rows: list[list[Cell]] = [
        [
            week,
            round(float(design.curve_units[7 * week - 1])),
            round(100 * lift, 2) if isfinite(lift) else None,
            planned,
        ]
        for week, lift in lifts.items()
    ]
    note = "The smallest effect that is detected with the planned power after so many weeks."
    return Sheet(
        "detectable",
        "Smallest effect by weeks",
        ["Weeks", "People", "Smallest effect %", "Planned effect %"],
        rows,
        note,
        _lines(rows, {say("Smallest effect %"): 2, say("Planned effect %"): 3}),
        is_half=True,
    )


def _lines(rows: list[list[Cell]], series: Mapping[str, int]) -> dict[str, object]:
    return {
        "kind": "line",
        "x": [row[0] for row in rows],
        "series": [{"name": name, "values": [row[place] for row in rows]} for name, place in series.items()],
    }


def _short(value: float) -> float:
    """Return four digits of a number, as the command prints it."""
    return float(f"{value:.4g}")
