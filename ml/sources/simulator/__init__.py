"""The embedded default site: seeded, vectorised, with a planted truth that the pipeline has to find again."""

from ml.sources.simulator.scenarios import Scenario, ScenarioSite
from ml.sources.simulator.site import Site
from ml.sources.simulator.truth import truth_tables
from ml.sources.simulator.writing import (
    SimulationResult,
    read_recorded_site,
    simulate_into_folder,
    simulate_into_home,
)

__all__ = [
    "Scenario",
    "ScenarioSite",
    "SimulationResult",
    "Site",
    "read_recorded_site",
    "simulate_into_folder",
    "simulate_into_home",
    "truth_tables",
]
