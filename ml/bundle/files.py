"""The files of a bundle and the manifest that names each with size and sha256."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.errors import TesseraError
from ml.home import replace_file, sync_path
from ml.integrity.checked_json import decode_checked, encode_checked
from ml.integrity.digests import sha256_of

BUNDLE_FORMAT = 2
MANIFEST = "manifest.json"


class BundleError(TesseraError, ValueError):
    """A bundle cannot be written or used; the message says which file and why."""


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        BundleError: the manifest is missing, incomplete or of another format.
    """
    try:
        manifest = decode_checked((path / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{path}: there is no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: {MANIFEST} is unreadable: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != BUNDLE_FORMAT:
        file_format = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise BundleError(f"{path}: format {file_format!r}; this version reads format {BUNDLE_FORMAT}")
    missing = {"version", "model_version", "as_of", "files"} - manifest.keys()
    if missing:
        raise BundleError(f"{path}: {MANIFEST} lacks {', '.join(sorted(missing))}")
    return manifest


def verify_files(path: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every file with the manifest.

    Raises:
        BundleError: the first file that is missing or differs.
    """
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise BundleError(f"{path}: {name} is missing")
        if file.stat().st_size != expected["bytes"]:
            raise BundleError(
                f"{path}: {name} has {file.stat().st_size} bytes, not {expected['bytes']}: cut or changed"
            )
        if sha256_of(file) != expected["sha256"]:
            raise BundleError(f"{path}: {name} differs from its checksum")


def write_manifest(draft: Path, fields: Mapping[str, Any]) -> None:
    """Write the manifest: `fields`, and every file of a draft with size and sha256.

    Every file is flushed to disk when the call returns.
    """
    files = {}
    for file in sorted(path for path in draft.rglob("*") if path.is_file() and path != draft / MANIFEST):
        files[file.relative_to(draft).as_posix()] = {"sha256": sha256_of(file), "bytes": file.stat().st_size}
        sync_path(file)
    manifest = {
        "format": BUNDLE_FORMAT,
        "written_at": dt.datetime.now(dt.UTC).isoformat(),
        **fields,
        "files": files,
    }
    replace_file(draft / MANIFEST, f"{encode_checked(manifest)}\n".encode())
