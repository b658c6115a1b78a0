"""Settings of the section `ports`: where the programs of `tessera up` listen."""

from ml.settings.section import Section, knob


class PortSettings(Section):
    """TCP ports on loopback."""

    dagster: int = knob(3000, "Dagster's pages; Dagster's own default.", unit="TCP port", ge=1, le=65535)
    mlflow: int = knob(5000, "MLflow's pages; MLflow's own default.", unit="TCP port", ge=1, le=65535)
    service: int = knob(
        8000, "The service; not BentoML's 3000, which Dagster has.", unit="TCP port", ge=1, le=65535
    )
