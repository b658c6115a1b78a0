"""`tessera console` serves the pages alone until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PATIENCE_SECONDS = 120
# a shell's background jobs ignore Ctrl-C, and so would what tests in one of them start
MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from orchestration.cli import main
main()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_serves_the_pages_of_a_home_until_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", MAIN, "console", "--port", str(port), "--home", str(tmp_path / "home")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"The console: http://127.0.0.1:{port}/console, until Ctrl-C.\n"
        page, ends = "", time.monotonic() + PATIENCE_SECONDS
        while not page and process.poll() is None and time.monotonic() < ends:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    page = answer.read().decode()
            except OSError:
                time.sleep(0.1)
        assert "Nothing is published yet" in page
        signal_group(process, signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        if process.poll() is None:
            signal_group(process, signal.SIGKILL)
            process.wait()


def signal_group(process: subprocess.Popen[str], number: int) -> None:
    """Send a signal to the command and what it started, as a terminal does."""
    os.killpg(process.pid, number)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", MAIN, "console", "--port", str(port), "--home", str(tmp_path / "home")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 1
    assert f"{port}" in done.stderr
    assert "Traceback" not in done.stderr
