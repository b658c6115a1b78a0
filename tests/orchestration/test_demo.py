"""The sizes of the demo; tests/orchestration/test_wheel.py runs it."""

from ml.settings.simulator import SimulatorSettings
from orchestration.commands.demo import QUICK_DIVISOR, shrink


def test_a_quick_demo_has_fewer_people_and_is_otherwise_the_same_site() -> None:
    settings = SimulatorSettings()
    small = shrink(settings)
    assert small.users == settings.users // QUICK_DIVISOR
    assert small.model_copy(update={"users": settings.users}) == settings
    assert shrink(settings.model_copy(update={"users": 2})).users == 1
