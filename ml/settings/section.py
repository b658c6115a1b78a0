"""The base of every section of the settings."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of knobs: immutable, and a key that is no knob is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
