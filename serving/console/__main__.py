"""`python -m serving.console --port PORT`: serves the console of the home until it is stopped."""

from __future__ import annotations

import argparse

import uvicorn

from ml.errors import TesseraError
from ml.privacy.home_checks import open_home
from serving.console.application import console_application
from serving.start import read_service_config

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    try:
        config = read_service_config()
        open_home(config.home)
        application = console_application(config)
    except TesseraError as error:
        raise SystemExit(f"The console cannot start: {error}") from None
    uvicorn.run(application, host="127.0.0.1", port=options.port, log_level="warning", proxy_headers=False)
