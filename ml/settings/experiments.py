"""Settings of the section `experiments`: when an analysis warns, and how tests are planned."""

from ml.settings.section import Section, knob


class ExperimentSettings(Section):
    """Thresholds of the analyses and assumptions of the plans."""

    file: str = knob("experiments.yaml", "Name of the file with the definitions, in the site's folder.")
    srm_alarm_p: float = knob(
        0.001,
        "The sample ratio test makes results unusable below this; .001 because it is read daily.",
        unit="p-value",
        gt=0,
        lt=1,
    )
    imbalance_alarm_p: float = knob(
        0.001,
        "Below this, variants differed before the start, or shares differ between segments.",
        unit="p-value",
        gt=0,
        lt=1,
    )
    mixed_units_alarm_share: float = knob(
        0.02,
        "Persons who saw two variants above which the check of exposures warns.",
        unit="share of persons",
        gt=0,
        lt=1,
    )
    burn_in_units: int = knob(
        200,
        "Units per arm before an always-valid interval is given, because the normal limit needs some.",
        unit="units",
        ge=10,
    )
    minimum_stratum_units: int = knob(
        50,
        "Units per arm below which segments are taken together, because smaller ones only add noise.",
        unit="units",
        ge=2,
    )
    prior_relative_sd: float = knob(
        0.1,
        "Standard deviation of the Bayesian prior of a relative effect; few real effects pass 20%.",
        unit="relative",
        gt=0,
    )
    false_discovery_rate: float = knob(
        0.1,
        "Expected share of false discoveries among the secondary metrics that are called changed.",
        unit="share of metrics",
        gt=0,
        lt=1,
    )
    drift_alarm_p: float = knob(
        0.01, "Below this, an effect is said to change with time or weekday.", unit="p-value", gt=0, lt=1
    )
    design_power: float = knob(
        0.8,
        "Chance to detect the minimum detectable effect; the customary promise.",
        unit="probability",
        gt=0.5,
        lt=1,
    )
    design_maximum_days: int = knob(
        90,
        "Days up to which durations are planned; longer tests outlive their question.",
        unit="days",
        ge=7,
        le=365,
    )
    design_history_days: int = knob(56, "History that plans are made from: eight whole weeks.", unit="days", ge=14)
