"""A browser key against a model of what it may see and change, in random walks; the benchmark walks for longer."""

from hypothesis import HealthCheck, settings

from tests.serving.browser_key_machine import BrowserKeyMachine

TestBrowserKey = BrowserKeyMachine.TestCase
TestBrowserKey.settings = settings(
    max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
