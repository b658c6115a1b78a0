"""`python -m ml.registry.server HOME`: serves MLflow's pages and API in one process until it is stopped.

`mlflow server` imports all of MLflow a second time, in a parent that only waits: 7 seconds of CPU on each start
instead of 4.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

import uvicorn
from mlflow.server import app as flask_application
from mlflow.server import constants, handlers
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ml.home import Home
from ml.registry.artifacts import artifact_address
from ml.registry.views import find_candidates_view
from ml.site.definition_files import home_at

# On the first visit of a browser, MLflow's pages open a dialogue with a language model, and one about the
# registry. They also say that they report how they are used, which they do not where MLFLOW_DISABLE_TELEMETRY is
# set. Their menu is that of language models until somebody chooses the one of trained models.
FIRST_VISIT = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.telemetry.info.alert.dismissed_v1": "true",
    "_mlflow_model_registry_promo_modal_dismissed_v1": "true",
    "mlflow.workflowType_v1": '"machine_learning"',
}
# An empty list of traces would load a film from MLflow's own site.
OWN_ORIGIN = {"Content-Security-Policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"}


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
    application = importlib.import_module("mlflow.server.fastapi_app").app  # reads the variables

    async def show_frame(_: Request) -> HTMLResponse:
        return HTMLResponse(render_frame(home), headers=OWN_ORIGIN)

    application.router.routes.insert(0, Route("/", show_frame))
    uvicorn.run(application, host=host, port=port, log_level="warning", proxy_headers=False)


def render_frame(home: Home) -> str:
    """Return MLflow's only page, as if this browser had been here before, opened on the candidates."""
    page = Path(str(flask_application.static_folder), "index.html").read_text(encoding="utf-8")
    script = "".join(f"localStorage[{key!r}] ??= {value!r};" for key, value in FIRST_VISIT.items())
    view = find_candidates_view(home)
    if view:
        script += f"if (!location.hash) location.hash = {view!r};"
    return page.replace("<head>", f"<head><script>{script}</script>", 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    serve_registry(home_at(options.home, os.environ), options.host, options.port)
