"""settings.yaml as typed settings. Every knob lives there once; code gets its section as an argument."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml
from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails

from ml.errors import TesseraError
from ml.settings.collector import CollectorSettings
from ml.settings.decisions import DecisionSettings
from ml.settings.evaluation import EvaluationSettings
from ml.settings.experiments import ExperimentSettings
from ml.settings.kafka import KafkaSettings
from ml.settings.ports import PortSettings
from ml.settings.privacy import PrivacySettings
from ml.settings.recommenders import RecommenderSettings
from ml.settings.schedules import ScheduleSettings
from ml.settings.section import Section
from ml.settings.segmentation import SegmentationSettings
from ml.settings.serving import ServingSettings
from ml.settings.simulator import SimulatorSettings
from ml.settings.warehouse import WarehouseSettings

SETTINGS_FILE = Path(__file__).resolve().parents[2] / "settings.yaml"


class Settings(Section):
    """All knobs, one section a stage of the pipeline."""

    collector: CollectorSettings
    kafka: KafkaSettings
    privacy: PrivacySettings
    simulator: SimulatorSettings
    warehouse: WarehouseSettings
    segmentation: SegmentationSettings
    recommenders: RecommenderSettings
    evaluation: EvaluationSettings
    decisions: DecisionSettings
    experiments: ExperimentSettings
    serving: ServingSettings
    ports: PortSettings
    schedules: ScheduleSettings

    @model_validator(mode="after")
    def _kafka_has_an_address(self) -> Self:
        if self.collector.sink == "kafka" and not self.kafka.bootstrap_servers:
            raise ValueError("collector.sink is kafka, which needs kafka.bootstrap_servers")
        return self


class SettingsError(TesseraError, ValueError):
    """settings.yaml cannot be used; the message names the file, the knob and what is legal."""


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the settings file (default: settings.yaml of the checkout).

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or a knob is unknown, missing or of a wrong type.
    """
    file = path or SETTINGS_FILE
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such settings file") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{file}: no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{file}: expected sections such as `ports:`, found {type(content).__name__}")
    try:
        return Settings.model_validate({name: {} if knobs is None else knobs for name, knobs in content.items()})
    except ValidationError as error:
        raise SettingsError(f"{file}: {'; '.join(map(_fault, error.errors()))}") from error


def _fault(fault: ErrorDetails) -> str:
    """The knob, what is wrong and what was found; of a whole section the message says enough."""
    place = "".join(f"{part}." for part in fault["loc"]).removesuffix(".")
    message = fault["msg"].removeprefix("Value error, ")
    found = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
    return f"{place}: {message}{found}" if place else f"{message}{found}"
