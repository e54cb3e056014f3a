"""Plugins: what serves resources. A base class to derive from, and the registry that finds, orders and makes them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import axle
from rm_abstract.core.resource import BuildArtifact, BuildProfile, Capability, Resource, ResourceType

ENTRY_POINT_GROUP = "rm_abstract.plugins"


@dataclass(frozen=True)
class PluginMetadata:
    """What is known of a plugin before it is made.

    Attributes:
        name: unique in a registry.
        version: of what it stands on.
        vendor: who makes that.
        resource_types: kinds of resources that it serves.
        priority: a higher one is asked first.
        description: one line.

    """

    name: str
    version: str = ""
    vendor: str = ""
    resource_types: tuple[ResourceType, ...] = ()
    priority: int = 0
    description: str = ""


@dataclass
class BackendConfig:
    """What a plugin is to serve.

    Attributes:
        model: path of a model file or folder.
        dtype: precision to compute in ("fp16"); None = the model's own.
        device: where, as an axle selector; None = the resource that is given.
        threads: compute threads; None = axle's choice.
        policy: an axle policy, as `axle.make_policy` takes it; what stands above lies over it.
        options: a plugin's own.

    """

    model: str = ""
    dtype: str | None = None
    device: str | None = None
    threads: int | None = None
    policy: Any = None
    options: dict[str, Any] = field(default_factory=dict)


class Plugin(ABC):
    """A way to use resources. Derive from it, and register the class or name it in the entry point group ``rm_abstract.plugins``."""

    @classmethod
    @abstractmethod
    def metadata(cls) -> PluginMetadata:
        """Give what is known without making one."""

    @abstractmethod
    def is_available(self) -> bool:
        """Say whether what it stands on is here. Must not fail."""

    @abstractmethod
    def initialize(self) -> None:
        """Get ready; called once, before anything but is_available."""

    def probe(self, resources: list[Resource]) -> list[Resource]:
        """Give those of the resources that it can use."""
        types = self.metadata().resource_types
        return [resource for resource in resources if resource.type in types]

    def required_build_profiles(self, config: BackendConfig) -> list[BuildProfile]:
        """Give what has to be built before the model runs; nothing, unless overridden."""
        del config
        return []

    def get_capability(self, resources: list[Resource], config: BackendConfig, artifacts: list[BuildArtifact]) -> Capability:
        """Give what can be done on these resources; nothing is known, unless overridden."""
        del resources, config, artifacts
        return Capability()

    @abstractmethod
    def prepare_resource(self, resource: Resource, config: BackendConfig) -> Any:
        """Make the model ready on a resource; what it gives is passed to execute."""

    def create_session(self, resources: list[Resource], config: BackendConfig, artifacts: list[BuildArtifact]) -> Any:
        """Make the model ready on the first of the resources, unless overridden."""
        del artifacts
        if not resources:
            raise axle.FailedPreconditionError(f"{self.metadata().name} was given no resource")
        return self.prepare_resource(resources[0], config)

    @abstractmethod
    def execute(self, resource: Any, inputs: Any, **kwargs: Any) -> Any:
        """Run once; `resource` is what prepare_resource or create_session gave."""

    @abstractmethod
    def cleanup(self) -> None:
        """Let everything go; called once, last."""


PluginFactory = Callable[[], Plugin]


@dataclass(frozen=True)
class _Registered:
    metadata: PluginMetadata
    make: PluginFactory


def _origin(name: str) -> str:
    return f"plugin '{name}'"


class PluginRegistry:
    """Plugins by name, each made and initialized once, when it is first asked for. Thread-safe.

    A plugin that fails where it must not is in `problems`, cannot be used, and hurts no other; it is asked again next time.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Registered] = {}
        self._asked: dict[str, Plugin] = {}  # made to be asked whether they can be used, and not initialized yet
        self._made: dict[str, Plugin] = {}
        self._problems: list[str] = []
        self._lock = threading.RLock()

    def register(self, plugin: type[Plugin], make: PluginFactory | None = None) -> None:
        """Add a plugin class; AlreadyExistsError for a name that is taken, InvalidArgumentError for what is no plugin.

        `make` makes one where the class takes arguments.
        """
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
            raise axle.InvalidArgumentError(f"{plugin!r} is no subclass of rm_abstract.Plugin")
        metadata = plugin.metadata()
        with self._lock:
            if metadata.name in self._known:
                raise axle.AlreadyExistsError(f"a plugin '{metadata.name}' is registered already")
            self._known[metadata.name] = _Registered(metadata, make or plugin)

    def unregister(self, name: str) -> None:
        """Take a plugin out, and clean it up where it was made; NotFoundError."""
        with self._lock:
            self._of(name)
            del self._known[name]
            self._asked.pop(name, None)
            made = self._made.pop(name, None)
        if made is not None:
            made.cleanup()

    def discover(self, sources: Iterable[EntryPoint] | None = None) -> list[str]:
        """Register axle's engines, and what packages name in the entry point group ``rm_abstract.plugins``; the new names.

        A package whose plugin cannot be imported is in `problems` and hurts no other.
        """
        from rm_abstract.backends.auto_register import engine_plugins  # noqa: PLC0415 - it derives from Plugin

        added = []
        found: list[tuple[str, Callable[[], type[Plugin]]]] = [
            (plugin.__name__, lambda plugin=plugin: plugin) for plugin in engine_plugins()
        ]
        group = entry_points(group=ENTRY_POINT_GROUP) if sources is None else sources
        found += [(f"entry point {point.name} = {point.value}", point.load) for point in group]
        for origin, load in found:
            try:
                plugin = load()
                name = plugin.metadata().name
                if name in self._known:
                    continue
                self.register(plugin)
                added.append(name)
            except Exception as error:
                self._note(origin, error)
        return added

    @property
    def problems(self) -> list[str]:
        """One sentence for each plugin that could not be registered, and for each way in which one failed since."""
        with self._lock:
            return list(self._problems)

    def problems_of(self, name: str) -> list[str]:
        """Those of a plugin that is registered."""
        return [said for said in self.problems if said.startswith(f"{_origin(name)}: ")]

    def metadata(self) -> list[PluginMetadata]:
        """Give what is known of all plugins, by priority and then by name."""
        with self._lock:
            return sorted((known.metadata for known in self._known.values()), key=lambda one: (-one.priority, one.name))

    def names(self) -> list[str]:
        """Give the names in that order."""
        return [one.name for one in self.metadata()]

    def get(self, name: str) -> Plugin:
        """Give a plugin, initialized; NotFoundError, UnavailableError when what it stands on is not here or it fails."""
        with self._lock:
            if name in self._made:
                return self._made[name]
            known = self._of(name)
            try:
                if self._ask(known):
                    # One whose initialize fails is not used again: the next call makes another.
                    made = self._asked.pop(name)
                    made.initialize()
                    self._made[name] = made
                    return made
            except Exception as error:
                said = self._note(_origin(name), error)
                hint = error.hint if isinstance(error, axle.Error) else "mend the plugin, or unregister it"
                raise axle.UnavailableError(said, hint=hint) from error
            raise axle.UnavailableError(f"what the plugin '{name}' stands on is not here", hint="axle doctor")

    def is_available(self, name: str) -> bool:
        """Say whether a plugin can be used here; NotFoundError. One that fails when it is asked cannot, and is in `problems`."""
        with self._lock:
            known = self._of(name)
            try:
                return name in self._made or self._ask(known)
            except Exception as error:
                self._note(_origin(name), error)
                return False

    def serving(self, resource: Resource) -> list[str]:
        """Names of the plugins that can use a resource here, in the order of `metadata`; one that fails is in `problems` instead."""
        return [name for name in self.available() if self._serves(name, resource)]

    def _serves(self, name: str, resource: Resource) -> bool:
        try:
            plugin = self.get(name)
        except axle.UnavailableError:
            return False  # `get` has said why, where it failed
        try:
            return bool(plugin.probe([resource]))
        except Exception as error:
            self._note(_origin(name), error)
            return False

    def _ask(self, known: _Registered) -> bool:
        """Ask a plugin that is not initialized whether it can be used; made at the first time. Fails as the plugin does."""
        name = known.metadata.name
        if name not in self._asked:
            self._asked[name] = known.make()
        return bool(self._asked[name].is_available())

    def _note(self, origin: str, error: Exception) -> str:
        said = f"{origin}: {type(error).__name__}: {error}"
        with self._lock:
            if said not in self._problems:
                self._problems.append(said)
        return said

    def available(self, type: ResourceType | None = None) -> list[str]:
        """Names of the plugins that can be used here, of a kind of resource where one is given; in the order of `metadata`."""
        return [one.name for one in self.metadata() if (type is None or type in one.resource_types) and self.is_available(one.name)]

    def cleanup(self) -> None:
        """Clean up every plugin that was initialized."""
        with self._lock:
            made, self._made, self._asked = self._made, {}, {}
        for name, plugin in made.items():
            try:
                plugin.cleanup()
            except Exception as error:
                self._note(_origin(name), error)

    def _of(self, name: str) -> _Registered:
        if name not in self._known:
            raise axle.NotFoundError(f"there is no plugin '{name}'", hint=f"there are: {', '.join(self.names()) or 'none'}")
        return self._known[name]
