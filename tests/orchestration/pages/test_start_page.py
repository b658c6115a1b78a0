"""The start page links what there is, and serves the reports but for what names people."""

import html
import re

from starlette.testclient import TestClient

from ml.home import Home
from ml.registry.registry import Registry
from ml.registry.views import CANDIDATES
from ml.settings.operation import PortSettings
from orchestration.pages.start_page import pages_application, render_start_page

ADDRESS = "http://127.0.0.1:8001"


def write(home: Home, name: str) -> None:
    file = home.reports / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"<title>{name}</title>")


def test_every_report_that_is_there_is_linked_and_served(tmp_path):
    home = Home(tmp_path)
    client = TestClient(pages_application(home, PortSettings()), base_url=ADDRESS)
    assert "tessera docs" in client.get("/").text
    assert "/reports/" not in client.get("/").text
    for name in ("segmentation/report.html", "experiments/new_font/report.html", "warehouse/index.html"):
        write(home, name)
    page = client.get("/").text
    links = re.findall(r'href="(http://127\.0\.0\.1:8001/[^"]+)"', page)
    assert len(links) == 3
    assert [client.get(link).status_code for link in links] == [200, 200, 200]
    assert "Experiment new_font" in page
    assert "https://" not in page


def test_the_programs_are_linked_at_their_ports(tmp_path):
    ports = PortSettings(pages=8001, dagster=4001, mlflow=4002, service=4003)
    page = TestClient(pages_application(Home(tmp_path), ports), base_url=ADDRESS).get("/").text
    for address in ("http://127.0.0.1:4001/asset-groups", "http://127.0.0.1:4002/", "http://127.0.0.1:4003/docs"):
        assert f'href="{address}"' in page


def test_audiences_and_other_names_of_the_machine_are_refused(tmp_path):
    home = Home(tmp_path)
    write(home, "audiences/newsletter.csv")
    client = TestClient(pages_application(home, PortSettings()), base_url=ADDRESS)
    assert client.get("/reports/audiences/newsletter.csv").status_code == 404
    assert client.get("/reports/segmentation/%2e%2e/audiences/newsletter.csv").status_code == 404
    assert client.get("/", headers={"Host": "rebound.example"}).status_code == 400


def test_mlflow_opens_on_the_view_of_the_candidates(tmp_path):
    home = Home(tmp_path)
    registry = Registry(home.mlflow_uri)
    registry.client.search_registered_models()  # which makes the store
    assert 'href="http://127.0.0.1:5000/"' in render_start_page(home, PortSettings(mlflow=5000))
    registry.save_view("recommendation", CANDIDATES, "{}")
    number = registry.client.get_experiment_by_name("recommendation").experiment_id
    address = f"http://127.0.0.1:5000/#/experiments/{number}/runs?viewStateShareKey=candidates"
    page = html.unescape(render_start_page(home, PortSettings(mlflow=5000)))
    assert f"{address}&compareRunsMode=CHART&workflowType=machine_learning" in page
