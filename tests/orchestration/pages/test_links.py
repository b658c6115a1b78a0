"""Every page and report behind the start page: no dead link, and nothing from another site."""

from urllib.parse import urljoin, urlsplit

from starlette.testclient import TestClient
from typer.testing import CliRunner

from ml.home import Home
from ml.settings import load_settings
from orchestration.cli import app
from orchestration.pages.start_page import pages_application
from tests.links import Links


def crawl(client: TestClient, ports: set[int]) -> tuple[dict[str, Links], list[str]]:
    """All pages that links reach from the start page, and what is wrong with their links."""
    pages: dict[str, Links] = {}
    wrong, waiting = [], [("the start", "/")]
    while waiting:
        origin, path = waiting.pop()
        if path in pages:
            continue
        answer = client.get(path)
        if answer.status_code != 200:
            wrong.append(f"{origin}: {path} is dead")
            continue
        is_page = answer.headers["content-type"].startswith("text/html")
        pages[path] = Links(answer.text if is_page else "")
        for link in sorted(pages[path].links | pages[path].loaded):
            target = urlsplit(urljoin(f"{client.base_url}{path}", link))
            if target.scheme in ("data", "mailto"):
                continue
            if target.hostname == "127.0.0.1" and target.port in ports - {client.base_url.port}:
                if link in pages[path].loaded:
                    wrong.append(f"{path}: loads {link} from another program")
            elif target.hostname != "127.0.0.1" or target.port != client.base_url.port:
                wrong.append(f"{path}: {link} is foreign")
            else:
                waiting.append((path, target.path))
    for path, page in pages.items():
        wrong += [
            f"{path}: {link} leads nowhere"
            for link in page.links
            if link.startswith("#") and len(link) > 1 and not link.startswith("#!") and link[1:] not in page.ids
        ]
    return pages, wrong


def test_the_crawler_finds_what_is_wrong(tmp_path) -> None:
    reports = Home(tmp_path).reports / "usage"
    reports.mkdir(parents=True)
    (reports / "report.html").write_text(
        '<a href="gone.html">x</a><a href="#nowhere">x</a><script src="https://cdn.example/x.js"></script>'
    )
    ports = load_settings().ports
    client = TestClient(pages_application(Home(tmp_path), ports), base_url=f"http://127.0.0.1:{ports.pages}")
    _, wrong = crawl(client, {port for _, port in ports})
    assert sorted(text.partition(": ")[2] for text in wrong) == [
        "#nowhere leads nowhere",
        "/reports/usage/gone.html is dead",
        "https://cdn.example/x.js is foreign",
    ]


def test_no_link_of_a_page_or_report_is_dead_or_foreign(changing_home: Home) -> None:
    assert CliRunner().invoke(app, ["docs", "--home", str(changing_home.path)]).exit_code == 0
    ports = load_settings().ports
    client = TestClient(pages_application(changing_home, ports), base_url=f"http://127.0.0.1:{ports.pages}")
    pages, wrong = crawl(client, {port for _, port in ports})
    assert wrong == []
    assert {path.split("/")[2] for path in pages if path.count("/") > 1} >= {
        "usage", "segmentation", "experiments", "quality", "warehouse"
    }  # fmt: skip
