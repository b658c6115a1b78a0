"""Where the Snowplow tracker's scripts are, and how they come there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ml.errors import TesseraError
from ml.home import Home

PACKAGE_FILE = Path(__file__).with_name("package.json")
SCRIPTS = {
    "tracker.js": "browser-tracker",
    "link-clicks.js": "browser-plugin-link-click-tracking",
    "button-clicks.js": "browser-plugin-button-click-tracking",
    "forms.js": "browser-plugin-form-tracking",
    "media.js": "browser-plugin-media",
}
MISSING = (
    "The script tessera.js of the service sends the events of these pages. To try Snowplow's tracker instead, "
    "run `python -m serving.demo_site`, which needs npm, and load the page again."
)


class TrackerError(TesseraError):
    """The tracker could not be installed; the message says why."""


def tracker_folder(home: Home) -> Path:
    """Where npm puts its packages."""
    return home.path / "demo_site"


def script(home: Home, name: str) -> Path | None:
    """The file of one of SCRIPTS, exactly as npm brought it; None where it is not installed or no such script."""
    if name not in SCRIPTS:
        return None
    file = tracker_folder(home) / "node_modules/@snowplow" / SCRIPTS[name] / "dist/index.umd.min.js"
    return file if file.is_file() else None


def is_installed(home: Home) -> bool:
    """Whether every script is there."""
    return all(script(home, name) for name in SCRIPTS)


def install(home: Home) -> Path:
    """Have npm fetch the pinned versions below the home.

    Raises:
        TrackerError: npm is missing or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise TrackerError("npm is not installed: it comes with Node.js, see https://nodejs.org")
    folder = tracker_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PACKAGE_FILE, folder / "package.json")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrackerError(f"npm install failed in {folder}:\n{done.stderr.strip()[-2_000:]}")
    return folder
