"""All sections of the settings together."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ml.settings.collector import CollectorSettings
from ml.settings.decisions import DecisionSettings
from ml.settings.engines import KafkaSettings, SparkSettings, StorageSettings
from ml.settings.evaluation import CanarySettings, EvaluationSettings
from ml.settings.experiments import ExperimentSettings
from ml.settings.operation import AlertSettings, MonitoringSettings, PortSettings, ScheduleSettings
from ml.settings.privacy import PrivacySettings
from ml.settings.recommenders import RecommenderSettings
from ml.settings.section import Section
from ml.settings.segmentation import SegmentationSettings
from ml.settings.sequences import SequenceSettings
from ml.settings.serving import ServingSettings
from ml.settings.simulator import SimulatorSettings
from ml.settings.warehouse import WarehouseSettings


class Settings(Section):
    """All knobs, one section a stage of the pipeline, in the order in which data passes through them."""

    collector: CollectorSettings = CollectorSettings()
    kafka: KafkaSettings = KafkaSettings()
    privacy: PrivacySettings = PrivacySettings()
    simulator: SimulatorSettings = SimulatorSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    recommenders: RecommenderSettings = RecommenderSettings()
    sequences: SequenceSettings = SequenceSettings()
    spark: SparkSettings = SparkSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    canary: CanarySettings = CanarySettings()
    decisions: DecisionSettings = DecisionSettings()
    experiments: ExperimentSettings = ExperimentSettings()
    storage: StorageSettings = StorageSettings()
    serving: ServingSettings = ServingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    alerts: AlertSettings = AlertSettings()
    ports: PortSettings = PortSettings()
    schedules: ScheduleSettings = ScheduleSettings()

    @model_validator(mode="after")
    def _kafka_has_an_address(self) -> Self:
        if self.collector.sink == "kafka" and not self.kafka.bootstrap_servers:
            raise ValueError("collector.sink is kafka, which needs kafka.bootstrap_servers")
        return self
