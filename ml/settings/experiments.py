"""Settings of the section `experiments`."""

from pydantic import Field

from ml.settings.section import Section


class ExperimentSettings(Section):
    """Knobs of `experiments`; their reasons stand in settings.yaml."""

    file: str
    srm_alarm_p: float = Field(gt=0, lt=1)
    imbalance_alarm_p: float = Field(gt=0, lt=1)
    mixed_units_alarm_share: float = Field(gt=0, lt=1)
    burn_in_units: int = Field(ge=10)
    minimum_stratum_units: int = Field(ge=2)
    prior_relative_sd: float = Field(gt=0)
    false_discovery_rate: float = Field(gt=0, lt=1)
    drift_alarm_p: float = Field(gt=0, lt=1)
    design_power: float = Field(gt=0.5, lt=1)
    design_maximum_days: int = Field(ge=7, le=365)
    design_history_days: int = Field(ge=14)
