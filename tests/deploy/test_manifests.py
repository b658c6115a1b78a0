"""The images, the compose file and the Kubernetes manifests agree with each other and with the product."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ml.settings.operation import PortSettings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUBERNETES = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
HOME = "/var/lib/tessera"


def targets() -> set[str]:
    """Names of the images that the Dockerfile builds."""
    return set(re.findall(r"^FROM runtime AS (\w+)$", DOCKERFILE, re.MULTILINE))


def pod() -> dict:
    (stateful_set,) = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "stateful-set.yaml").read_text())
    return stateful_set["spec"]["template"]["spec"]


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.stem)
def test_each_manifest_has_the_schema_of_kubernetes(file: Path) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for document in yaml.safe_load_all(file.read_text()):
        if document["kind"] == "Kustomization":
            listed = {file.parent / name for name in document["resources"]}
            assert listed == {other for other in KUBERNETES if other != file}
        else:
            validator.validate(document, "1.33", strict=True)


def test_a_misspelt_field_is_no_manifest() -> None:
    validator = pytest.importorskip("kubernetes_validate")
    (service,) = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "service.yaml").read_text())
    service["spec"]["selectors"] = service["spec"].pop("selector")
    with pytest.raises(validator.ValidationError):
        validator.validate(service, "1.33", strict=True)


def test_compose_and_pod_run_the_images_of_the_dockerfile() -> None:
    assert targets() == {"pipeline", "service"}
    assert {service["build"]["target"] for service in COMPOSE["services"].values()} == targets()
    assert {container["image"].removeprefix("tessera-") for container in pod()["containers"]} == targets()
    assert {service["image"].removeprefix("tessera-") for service in COMPOSE["services"].values()} == targets()


def test_every_container_keeps_the_home_on_a_volume_and_writes_nowhere_else() -> None:
    assert f"TESSERA_HOME={HOME} " in DOCKERFILE
    for service in COMPOSE["services"].values():
        assert service["read_only"]
        assert service["tmpfs"] == ["/tmp"]
        assert f"home:{HOME}" in service["volumes"]
    for container in pod()["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == [HOME, "/tmp"]
        assert [entry["value"] for entry in container["env"] if entry["name"] == "TESSERA_HOME"] == [
            f"{HOME}/home"
        ]


def test_ports_are_those_of_the_settings_and_pages_stay_on_the_machine() -> None:
    ports = PortSettings()
    published = {name: service["ports"] for name, service in COMPOSE["services"].items()}
    assert set(published["pipeline"]) == {
        f"127.0.0.1:{port}:{port}" for port in (ports.pages, ports.dagster, ports.mlflow)
    }
    assert published["service"] == [f"127.0.0.1:{ports.service}:{ports.service}"]
    by_name = {container["name"]: container for container in pod()["containers"]}
    assert "--host" not in by_name["pipeline"]["args"]  # the pod's loopback, which only port-forward reaches
    assert by_name["service"]["ports"][0]["containerPort"] == ports.service


def test_what_the_service_needs_is_printed_for_its_image() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "orchestration.bento"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    names = {line.partition("==")[0] for line in printed}
    assert {"bentoml", "pyarrow", "lightgbm"} <= names
    assert not {"dagster", "dbt-core", "mlflow", "implicit"} & names


def test_the_build_takes_only_what_it_copies() -> None:
    taken = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in taken)
    assert not {".git", "tests", "docs", "deploy"} & set(taken)
