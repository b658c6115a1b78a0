"""Every command and every file that README and docs show works on the home of a demo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.docs.examples import CHECKOUT, PAGES, RUN, SHOWN, blocks_of, commands_of, words_of
from tests.docs.reader import Reader

# What the reader of a page types and these tests don't, each with its reason.
NOT_RUN = {
    "make demo": "makes the environment and a demo of full size, which CI does",
    "source .venv/bin/activate": "changes the reader's shell; these tests have the programs of the environment",
    "tessera console": "stays until Ctrl-C; tests/orchestration/test_console_command.py starts and stops it",
    "tessera up": "stays until Ctrl-C; tests/orchestration/test_up.py starts and stops it",
    "tessera materialize": "builds everything; it has built the home that these tests work on",
    "tessera materialize --job erasure": "tests/orchestration/test_erasure.py runs it and searches every file",
    "tessera docs": "tests/orchestration/test_commands.py runs it; it takes a start of dbt",
    "bentoml serve tessera": "stays until Ctrl-C; tests/serving/test_bento.py serves a Bento",
    **dict.fromkeys(
        (
            "make image",
            "make image ENGINE=podman BASE=registry.example/python:3.11",
            "docker compose up --build",
            "docker compose exec pipeline tessera keys create --kind secret --name backend",
            "docker compose exec pipeline tessera materialize",
        ),
        "needs a container engine and images from a registry; `make image-test` tries what was built",
    ),
    **dict.fromkeys(
        (
            "kubectl create secret generic tessera-keys --from-file=TESSERA_SECRET_KEYS=keys.txt",
            "kubectl apply -k deploy/kubernetes",
            "kubectl port-forward tessera-0 8001 3000 5000",
        ),
        "needs a cluster; tests/deploy/test_manifests.py checks the manifests",
    ),
}
README_LINES = 60  # one screen


def name_of(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=name_of)
def test_the_examples_of_a_page_work(
    page: Path,
    tmp_path: Path,
    environment: dict[str, str],
    stand_ins: dict[str, str],
    request: pytest.FixtureRequest,
) -> None:
    blocks = blocks_of(page)
    needs_tracker = any(block.language == "html" for block in blocks)
    tracker = request.getfixturevalue("tracker") if needs_tracker else None
    reader = Reader(tmp_path, dict(environment), stand_ins, frozenset(NOT_RUN), tracker)
    for block in blocks:
        if block.title is not None:
            reader.write(block)
    for block in blocks:
        if block.title is None and block.language in RUN:
            reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_a_file_or_runs_or_shows_what_comes_out(page: Path) -> None:
    blocks = blocks_of(page)
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(blocks), "a fence that is not understood"
    titles = [block.title for block in blocks if block.title is not None]
    assert len(titles) == len(set(titles)), "two files of one page have one name"
    for block in blocks:
        if block.title is None:
            assert block.language in RUN | SHOWN, f"line {block.line}: {block.language}"
            if block.language == "json":
                json.loads(block.text)


def test_the_list_of_what_does_not_run_holds_nothing_that_no_page_shows() -> None:
    commands = {
        " ".join(words_of(command))
        for page in PAGES
        for block in blocks_of(page)
        if block.language == "sh"
        for command in commands_of(block.text)
    }
    assert set(NOT_RUN) <= commands


def test_the_readme_fits_on_one_screen() -> None:
    assert len((CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES
