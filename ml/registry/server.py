"""`python -m ml.registry.server HOME`: serves MLflow's pages and API in one process until it is stopped.

`mlflow server` starts nine more processes, most of them queues for judging answers of language models, and each
imports MLflow anew: about 20 seconds of CPU on each start instead of 4.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import uvicorn
from mlflow.server import constants, handlers

from ml.home import Home
from ml.registry.artifacts import artifact_address


def serve_registry(home: Home, host: str, port: int) -> None:
    """Serve the store of a home with its artifacts, until a signal ends the process.

    Args:
        home: The home.
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        MlflowException: The store cannot be opened, for instance since a newer MLflow wrote it.
    """
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: home.mlflow_uri,
        constants.REGISTRY_STORE_URI_ENV_VAR: home.mlflow_uri,
        constants.ARTIFACT_ROOT_ENV_VAR: artifact_address(),
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: str(home.artifacts),
    }
    handlers.initialize_backend_stores(home.mlflow_uri, home.mlflow_uri, artifact_address())
    application = "mlflow.server.fastapi_app:app"  # imported after the variables are set, which it reads
    uvicorn.run(application, host=host, port=port, log_level="warning", proxy_headers=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    serve_registry(Home(options.home), options.host, options.port)
