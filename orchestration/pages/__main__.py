"""`python -m orchestration.pages HOME`: serves the start page until it is stopped."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import uvicorn

from ml.settings.operation import PortSettings
from ml.site.definition_files import home_at
from orchestration.pages.start_page import pages_application
from orchestration.runtime.addresses import LOOPBACK

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--host", default=LOOPBACK)
    for name, field in PortSettings.model_fields.items():
        parser.add_argument(f"--{name}", type=int, default=field.default)
    options = parser.parse_args()
    ports = PortSettings(**{name: getattr(options, name) for name in PortSettings.model_fields})
    uvicorn.run(
        pages_application(home_at(options.home, os.environ), ports),
        host=options.host,
        port=ports.pages,
        log_level="warning",
        proxy_headers=False,
    )
