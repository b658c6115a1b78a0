"""Continuous integration fails where a test is skipped that could run."""

import pytest

from tests.skip_policy import ACCEPTED_REASONS

pytest_plugins = ["pytester"]

SKIPS = """
import pytest

@pytest.fixture
def server():
    pytest.skip("no server")

@pytest.mark.skipif(True, reason="no browser")
def test_mark():
    pass

def test_fixture(server):
    pass

def test_call():
    pytest.importorskip("no_such_package_anywhere")

@pytest.mark.xfail(reason="not written yet")
def test_expected_failure():
    raise AssertionError

@pytest.mark.xfail(run=False, reason="ends the process")
def test_expected_crash():
    pass

def test_passes():
    pass
"""
OPTIONS = ("-p", "tests.skip_policy", "-p", "no:cacheprovider")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def test_the_policy_is_in_force_here(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("tests.skip_policy")


def test_a_skip_of_a_mark_a_fixture_or_a_test_fails(project: pytest.Pytester) -> None:
    project.makepyfile(SKIPS)
    result = project.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(passed=1, failed=1, errors=2, xfailed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*skipped with CI=true, because: no browser",
            "*skipped with CI=true, because: no server",
            "*skipped with CI=true, because: could not import 'no_such_package_anywhere'*",
        ]
    )


def test_a_module_that_skips_itself_fails(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\npytest.skip('no driver', allow_module_level=True)")
    result = project.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*skipped with CI=true, because: no driver"])


@pytest.mark.parametrize("reason", ACCEPTED_REASONS)
def test_accepted_reasons_still_skip(project: pytest.Pytester, reason: str) -> None:
    project.makepyfile(f"import pytest\ndef test_waits(): pytest.skip('{reason}: something')")
    result = project.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize("value", [None, "", "false"])
def test_a_developer_may_skip(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("CI")
    if value is not None:
        monkeypatch.setenv("CI", value)
    project.makepyfile(SKIPS)
    result = project.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(passed=1, skipped=3, xfailed=2)
    assert result.ret == pytest.ExitCode.OK
