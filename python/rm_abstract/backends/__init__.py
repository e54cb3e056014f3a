"""Plugins that come with `rm_abstract`."""

from rm_abstract.backends.auto_register import AxlePlugin, engine_plugins
from rm_abstract.backends.plugin_adapter import BackendPluginAdapter

__all__ = ["AxlePlugin", "BackendPluginAdapter", "engine_plugins"]
