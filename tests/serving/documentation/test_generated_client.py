"""A client that openapi-python-client generates from the description talks to the service."""

import importlib
import json
import shutil
import subprocess
import sys

import pytest
from bundles import publish

from ml.home import Home
from ml.settings import load_settings
from serving.application import application
from serving.documentation.openapi import openapi
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.serving.served import served

GENERATOR = "openapi-python-client==0.29.1"  # in an environment of its own, since it wants an older typer
PACKAGE = "generated_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    uv = shutil.which("uv", path=str(sys.executable).rpartition("/")[0])
    assert uv is not None
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(openapi()))
    command = [uv, "tool", "run", "--quiet", "--python", sys.executable, "--from", GENERATOR]
    command += ["openapi-python-client", "generate", "--path", "openapi.json", "--output-path", PACKAGE]
    done = subprocess.run([*command, "--meta", "none"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield done.stdout
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client_home")
    home = Home(folder / "home")
    publish(home.published)
    config = ServiceConfig(home=home, settings=load_settings(), bundled=folder / "no-bento")
    with served(application(Tessera(config, seed=1))) as address:
        yield address


def call(task, name, url, *arguments, **options):
    module = importlib.import_module(f"{PACKAGE}.api.{task}.{name}")
    client = importlib.import_module(f"{PACKAGE}.client").Client(base_url=url)
    return module.sync(*arguments, client=client, **options)


def test_the_generator_understands_everything_but_the_pixels(generated):
    skipped = [line for line in generated.splitlines() if line.startswith("WARNING parsing")]
    assert [line for line in skipped if "/pixel/" not in line and "GET /i " not in line] == []


def test_a_generated_client_gets_typed_answers(generated, url):
    models = importlib.import_module(f"{PACKAGE}.models")
    taken = call(
        "send_events",
        "send_events",
        url,
        body=models.SendEventsBody.from_dict(
            {"events": [{"event_type": "page_view", "user_id": "ann", "item_id": "i1"}]}
        ),
    )
    assert (taken.accepted, taken.rejected) == (1, [])
    answer = call("recommend", "recommend", url, body=models.RecommendationRequest(user_id="ann", k=3))
    assert [item.rank for item in answer.items] == [1, 2, 3]
    person = call("people", "describe_person", url, "ann")
    assert person.segment == "athletes"
    similar = call("recommend", "list_similar_items", url, "i1", k=2)
    assert len(similar.items) == 2
    refused = call("recommend", "recommend", url, body=models.RecommendationRequest(k=0))
    assert refused.error.field == "k"
