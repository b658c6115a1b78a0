"""What the files of a folder hold, to be compared later."""

import hashlib
from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    """Path below the folder → SHA-256 of the file."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }
