"""`BackendPluginAdapter`: a class with ``is_available``, ``prepare_model``, ``execute`` and ``get_device_info`` as a plugin."""

from __future__ import annotations

from typing import Any, Protocol

from rm_abstract.core.plugin import BackendConfig, Plugin, PluginMetadata
from rm_abstract.core.resource import Resource


class Backend(Protocol):
    """What an older backend has."""

    def is_available(self) -> bool:
        """Say whether it can be used here."""

    def prepare_model(self, model: Any) -> Any:
        """Make a model ready."""

    def execute(self, prepared_model: Any, inputs: Any) -> Any:
        """Run a model that was made ready."""

    def get_device_info(self) -> Any:
        """Say what it runs on."""


class BackendPluginAdapter(Plugin):
    """A backend as a plugin. Derive from it, set `backend_type` and `info`, and register the class."""

    backend_type: type[Any]
    info: PluginMetadata

    def __init__(self) -> None:
        self.backend: Backend = self.backend_type()

    @classmethod
    def metadata(cls) -> PluginMetadata:
        """Give `info`."""
        return cls.info

    def is_available(self) -> bool:
        """Ask the backend."""
        return bool(self.backend.is_available())

    def initialize(self) -> None:
        """Do nothing: the backend was made with the plugin."""

    def prepare_resource(self, resource: Resource, config: BackendConfig) -> Any:
        """Have the backend make the model ready; it knows its resource."""
        del resource
        return self.backend.prepare_model(config.model)

    def execute(self, resource: Any, inputs: Any, **kwargs: Any) -> Any:
        """Have the backend run what it made ready."""
        return self.backend.execute(resource, inputs, **kwargs)

    def cleanup(self) -> None:
        """Have the backend clean up, where it can."""
        getattr(self.backend, "cleanup", lambda: None)()
