"""Create a site: copy the definition files of the product into a new folder."""

from __future__ import annotations

from pathlib import Path

from ml.errors import TesseraError
from ml.site.definition_files import SETTINGS, product_config

PURPOSES = {
    SETTINGS: "what this site does differently from the defaults",
    "rules.yaml": "which content a slot shows when",
    "segments.yaml": "segments by rule, each with a strategy",
    "experiments.yaml": "experiments: what is tried, on whom, judged by what",
}


class SiteExistsError(TesseraError, FileExistsError):
    """A file of the site exists already."""


def create_site(folder: Path) -> dict[Path, str]:
    """Write the files of a new site.

    Args:
        folder: The site's folder; it is made if it is absent.

    Returns:
        What each file is for, by its path.

    Raises:
        SiteExistsError: One of the files exists, or the folder is a file. Nothing is written then.
    """
    if folder.exists() and not folder.is_dir():
        raise SiteExistsError(f"{folder}: is a file, and a site is a folder; name another")
    existing = [name for name in PURPOSES if (folder / name).exists()]
    if existing:
        raise SiteExistsError(f"{folder} has {', '.join(existing)} already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    for name in PURPOSES:
        (folder / name).write_bytes((product_config() / name).read_bytes())
    return {folder / name: purpose for name, purpose in PURPOSES.items()}
