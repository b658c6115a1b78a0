"""Every route of the description, with a browser key and with a secret key: requests drawn from it, and broken."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ml.home import Home
from ml.settings import load_settings
from serving.access import Keys
from serving.application import application
from serving.documentation.openapi import openapi
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.serving.bundles import publish
from tests.serving.served import served

EXAMPLES = 5  # of each route and key
KEYS = {"browser": "browser-key-0123456789", "secret": "secret-key-0123456789"}
CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance)
description = schemathesis.openapi.from_dict(openapi())


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The address of a service with keys and a small bundle."""
    folder = tmp_path_factory.mktemp("described")
    home = Home(folder / "home")
    publish(home.published)
    keys = Keys(browser=frozenset({KEYS["browser"]}), secret=frozenset({KEYS["secret"]}))
    config = ServiceConfig(home=home, settings=load_settings(), bundled=folder / "no-bento", keys=keys)
    with served(application(Tessera(config, seed=1))) as address:
        yield address


@description.parametrize()
@pytest.mark.parametrize("kind", KEYS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_route_answers_as_described_whoever_asks(case, kind, url):
    answer = case.call(base_url=url, headers={"Authorization": f"Bearer {KEYS[kind]}"})
    case.validate_response(answer, checks=CHECKS)
