"""Tries the images that `make image` built; `make image-test` runs it, and the ordinary tests do not.

The images are entered with buildah, which needs neither a daemon nor control groups. BUILDAH_OPTIONS are its own
options, such as `--storage-driver=vfs`.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

BUILDAH = ["buildah", *shlex.split(os.environ.get("BUILDAH_OPTIONS", ""))]
HOME = "/var/lib/tessera"
USER = 10001
PORT = 8000
SERVICE = f"http://127.0.0.1:{PORT}"
LIMITS = {"pipeline": 1_500, "service": 700}  # MB, uncompressed, base included


class Image:
    """An image that was built, in which commands run as its own user."""

    def __init__(self, name: str, volume: Path) -> None:
        self.container = output("from", "--pull-never", f"tessera-{name}")
        self.volume = volume

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs a command inside."""
        mounts = ["--volume", f"{self.volume}:{HOME}"]
        return [*BUILDAH, "run", "--isolation=chroot", "--network=host", *mounts, self.container, "--", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)

    def remove(self) -> None:
        """Remove the container, not the image."""
        output("rm", self.container)


def output(*arguments: str) -> str:
    return subprocess.run([*BUILDAH, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that both images have as their volume, owned by their user."""
    folder = Path(tmp_path_factory.mktemp("volume"))
    for part in (folder, *folder.parents):
        if part.owner() == Path.home().owner() and part.is_relative_to("/tmp") and part != Path("/tmp"):
            part.chmod(0o755)
    os.chown(folder, USER, USER)
    return folder


@pytest.fixture(scope="session")
def pipeline(volume: Path) -> Iterator[Image]:
    image = Image("pipeline", volume)
    yield image
    image.remove()


@pytest.fixture(scope="session")
def service(volume: Path) -> Iterator[Image]:
    image = Image("service", volume)
    yield image
    image.remove()


@pytest.fixture(scope="session", params=["pipeline", "service"])
def image(request: pytest.FixtureRequest) -> Image:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", LIMITS)
def test_an_image_is_as_small_as_promised(name: str) -> None:
    (listed,) = json.loads(output("images", "--json", f"tessera-{name}"))
    number, unit = listed["size"].split()
    megabytes = float(number) * {"MB": 1, "GB": 1_000}[unit]
    print(f"tessera-{name}: {megabytes:.0f} MB")
    assert megabytes <= LIMITS[name]


def test_there_is_neither_compiler_nor_installer_inside(image: Image) -> None:
    for program in ("gcc", "cc", "make", "pip", "uv-installer", "git"):
        assert image.run("sh", "-c", f"command -v {program}").returncode != 0, program


def test_its_user_can_write_to_the_home_and_to_temporary_files_alone(image: Image) -> None:
    assert image.run("id", "--user").stdout.strip() == str(USER)
    look = "find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/sys/*' -not -path '/dev/*'"
    writable = image.run("sh", "-c", f"{look} 2>/dev/null").stdout.split()
    strange = [path for path in writable if not path.startswith(("/tmp", "/var/tmp", HOME, "/run/lock", "/dev"))]
    assert strange == []


def test_the_pipeline_runs_the_demo_and_the_service_answers_from_it(pipeline: Image, service: Image) -> None:
    ran = pipeline.run("tessera", "demo", "--quick")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    running = subprocess.Popen(
        service.command(
            *shlex.split(f"bentoml serve serving.service:TesseraService --host 127.0.0.1 --port {PORT}")
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert wait_for(f"{SERVICE}/readyz", running)
        request = urllib.request.Request(
            f"{SERVICE}/v1/recommendations",
            json.dumps({"anonymous_id": "a-visitor", "k": 5}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert len(json.load(answer)["items"]) == 5
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(timeout=60)
        end_listeners(PORT)


def end_listeners(port: int) -> None:
    """End what listens on a port: a worker in a container outlives the command that entered it."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            psutil.Process(connection.pid).terminate()


def wait_for(address: str, process: subprocess.Popen[str], seconds: float = 180) -> bool:
    """Wait until an address answers 200; False where the process ends or time runs out."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    return False


if shutil.which("buildah") is None:
    pytest.skip("needs buildah to enter the images", allow_module_level=True)
