"""`python -m serving --port PORT`: serves the API in this process until it is stopped.

`bentoml serve` runs the same service in processes of its own, and is the way to run several workers: its parent
imports all that the service imports, only to watch over them.
"""

from __future__ import annotations

import argparse

import uvicorn

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    from serving.service import TesseraService  # reads the home, which --help should not need

    uvicorn.run(
        TesseraService.to_asgi(),  # type: ignore[attr-defined]
        host=options.host,
        port=options.port,
        log_config=None,  # serving.observability.logs has set it up
        server_header=False,
    )
