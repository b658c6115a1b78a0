"""Settings of the section `ports`."""

from pydantic import Field

from ml.settings.section import Section


class PortSettings(Section):
    """Knobs of `ports`; their reasons stand in settings.yaml."""

    dagster: int = Field(ge=1, le=65535)
    mlflow: int = Field(ge=1, le=65535)
    service: int = Field(ge=1, le=65535)
