"""Every error of a request becomes one kind of JSON, in one place."""

import json
import logging

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from ml.bundle import BundleError
from ml.experiments.definition.definition import UnknownExperimentError
from serving.errors import ERROR_HANDLERS, ApiError, answer_error


def client_of(error: Exception) -> TestClient:
    """A service whose only page raises `error`."""

    async def page(_: Request) -> Response:
        raise error

    app = Starlette(routes=[Route("/page", page)], exception_handlers=ERROR_HANDLERS)
    return TestClient(app, raise_server_exceptions=False)


def test_an_error_of_the_api_names_the_field_and_when_to_come_back() -> None:
    answer = client_of(ApiError(429, "too many", "slot", retry_after_seconds=1.2)).get("/page")
    assert answer.status_code == 429
    assert answer.json() == {"error": {"message": "too many", "field": "slot"}}
    assert answer.headers["retry-after"] == "2"


def test_an_unknown_experiment_is_not_found() -> None:
    answer = client_of(UnknownExperimentError("no experiment 'x'; there are a, b")).get("/page")
    assert answer.status_code == 404
    assert answer.json() == {"error": {"message": "no experiment 'x'; there are a, b", "field": "experiment_id"}}


@pytest.mark.parametrize("error", [BundleError("/srv/published/7 lacks items.parquet"), KeyError("ann")])
def test_a_failure_is_answered_in_general_terms_and_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "tessera.serving"):
        answer = client_of(error).get("/page")
    assert answer.status_code == 500
    assert answer.json() == {"error": {"message": "the service failed on this request; its log says why"}}
    assert caplog.records[0].exc_info[1] is error


def test_what_is_not_there_is_the_same_json() -> None:
    answer = client_of(ValueError()).get("/nothing")
    assert answer.status_code == 404
    assert "/nothing" in answer.json()["error"]["message"]


def test_a_caller_may_say_the_failure_in_its_own_words() -> None:
    answer = answer_error(ValueError("x"), "take_events", "nothing was stored")
    assert json.loads(answer.body) == {"error": {"message": "nothing was stored"}}
