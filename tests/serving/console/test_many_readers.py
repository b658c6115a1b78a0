"""Fifty people read the console at once, each with a session of their own, while the service answers."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ml.keys.key_file import KeyFile
from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.console.console_reader import sign_in_with
from tests.serving.served import served

READERS = 50
PAGES = ("overview", "behaviour", "audience", "segments", "experiments", "models", "health")


@pytest.fixture
def keys(home):
    file = KeyFile(home)
    return [file.create("console", role="viewer", name=f"reader-{number}")[1] for number in range(READERS)]


def test_fifty_readers_see_the_same_figures_while_the_service_answers(config, home, tmp_path, keys):
    publish_with_console(home, tmp_path / "tables")
    secret = KeyFile(home).create("secret")[1]
    body = {"user_id": "u", "k": 2, "slot": "home"}

    def read(number):
        """Sign in, and load every page in an order of one's own; the name of the reader stands on each."""
        with httpx.Client(base_url=url, timeout=120) as client:
            assert sign_in_with(client, keys[number]).status_code == 303
            pages = {}
            for place in range(len(PAGES)):
                name = PAGES[(number + place) % len(PAGES)]
                answer = client.get(f"/console/{name}")
                assert answer.status_code == 200
                assert f">reader-{number}, viewer<" in answer.text
                assert sum(f">reader-{other}, viewer<" in answer.text for other in range(READERS)) == 1
                pages[name] = answer.text.split('<main id="content"')[1].split("csrf_token")[0]
            return pages

    def recommend(_):
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.post(f"{url}/v1/recommendations", json=body, headers=headers, timeout=120).status_code

    with served(application(Tessera(config, seed=1))) as url, ThreadPoolExecutor(READERS + 4) as threads:
        answers = [threads.submit(recommend, number) for number in range(40)]
        seen = list(threads.map(read, range(READERS)))
        assert {answer.result() for answer in answers} == {200}
    assert len(seen) == READERS
    for name in ("overview", "audience", "segments"):
        assert len({pages[name] for pages in seen}) == 1
