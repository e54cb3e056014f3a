"""`ResourceManager`: the pool of resources and the registry of plugins, together."""

from __future__ import annotations

import weakref
from typing import Any, Self

import axle
from rm_abstract.core.plugin import BackendConfig, Plugin, PluginRegistry
from rm_abstract.core.resource import BuildProfile, Capability, Resource, ResourcePool, ResourceType


class ResourceManager:
    """What there is, and what serves it. Closes what it made at the end of a ``with`` block, or by `cleanup`.

    Args:
        pool: the resources; None = this machine's.
        registry: the plugins; None = those that are discovered.

    """

    def __init__(self, pool: ResourcePool | None = None, registry: PluginRegistry | None = None):
        self.pool = ResourcePool.discover() if pool is None else pool
        if registry is None:
            registry = PluginRegistry()
            registry.discover()
        self.registry = registry
        # Only so that `cleanup` can close them: a model that nobody holds any more is gone.
        self._prepared: weakref.WeakSet[Prepared] = weakref.WeakSet()

    def resources(self, type: ResourceType | None = None, tags: tuple[str, ...] = (), simulated: bool = False) -> list[Resource]:
        """Give resources of the pool, as `ResourcePool.select`."""
        return self.pool.select(type, tags, simulated)

    def plugins_for(self, resource: Resource) -> list[str]:
        """Names of the plugins that can use a resource here, best first. One that fails is in ``registry.problems`` instead."""
        return self.registry.serving(resource)

    def choose(self, resource: Resource, plugin: str | None = None) -> Plugin:
        """Give a plugin for a resource: the one that is named, else the one of highest priority.

        Raises:
            axle.FailedPreconditionError: none can use it, or the one that is named cannot.

        """
        names = self.plugins_for(resource)
        if plugin is not None and plugin not in names:
            failed = "".join(f"; {said}" for said in self.registry.problems_of(plugin))
            raise axle.FailedPreconditionError(
                f"the plugin '{plugin}' cannot use {resource.id}{failed}", hint=f"those that can: {', '.join(names) or 'none'}"
            )
        if not names:
            raise axle.FailedPreconditionError(f"no plugin can use {resource.id}", hint="axle engines says what is missing")
        return self.registry.get(plugin or names[0])

    def build_profiles(self, resource: Resource, config: BackendConfig, plugin: str | None = None) -> list[BuildProfile]:
        """Give what has to be built for a resource before the model runs."""
        profiles = self.choose(resource, plugin).required_build_profiles(config)
        return [profile for profile in profiles if profile.target_resource_type is resource.type]

    def capability(self, resource: Resource, config: BackendConfig | None = None, plugin: str | None = None) -> Capability:
        """Give what can be done on a resource."""
        return self.choose(resource, plugin).get_capability([resource], config or BackendConfig(), [])

    def create_session(self, resource: Resource, config: BackendConfig, plugin: str | None = None) -> Prepared:
        """Make a model ready on a resource."""
        chosen = self.choose(resource, plugin)
        prepared = Prepared(chosen, chosen.create_session([resource], config, []))
        self._prepared.add(prepared)
        return prepared

    def cleanup(self) -> None:
        """Close the models that were made ready and are still held, then clean up the plugins."""
        for prepared in list(self._prepared):
            prepared.close()
        self.registry.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()


class Prepared:
    """A model that a plugin has made ready. Given up by `close`, at the end of a ``with`` block, or when nobody holds it any more."""

    def __init__(self, plugin: Plugin, handle: Any):
        self.plugin = plugin
        self.handle = handle
        self._closed = False

    def execute(self, inputs: Any, **kwargs: Any) -> Any:
        """Run once; FailedPreconditionError after `close`, otherwise as the plugin fails."""
        handle = self.handle
        if self._closed:
            raise axle.FailedPreconditionError("the model was closed", hint="make it ready again: manager.create_session")
        return self.plugin.execute(handle, inputs, **kwargs)

    def close(self) -> None:
        """Let the model go; runs that go on keep it until they end. Closing again does nothing."""
        self._closed = True
        self.handle = None

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
