"""axle's engines as plugins: one for each, and `axle` itself, which lets the planner choose among all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import axle
from rm_abstract.core.plugin import BackendConfig, Plugin, PluginMetadata
from rm_abstract.core.resource import BuildArtifact, BuildProfile, Capability, Resource, ResourceType, axle_precision

# axle decides on evidence which engine is best; a plugin of one engine is for those who have decided themselves.
PLANNER_PRIORITY = 100
ENGINE_PRIORITY = 50


class AxlePlugin(Plugin):
    """Runs models where axle's planner puts them, under the configuration's policy."""

    engine: ClassVar[str | None] = None

    @classmethod
    def metadata(cls) -> PluginMetadata:
        """Give what is known without making one."""
        return PluginMetadata(
            name="axle",
            version=axle.__version__,
            vendor="axle",
            resource_types=tuple(ResourceType),
            priority=PLANNER_PRIORITY,
            description="axle's planner over every engine that is here",
        )

    @classmethod
    def states(cls) -> list[axle.EngineState]:
        """Give the engines that it uses and that are here."""
        return [state for state in axle.engines() if state.present and cls.engine in (None, state.name)]

    def is_available(self) -> bool:
        """Say whether an engine is here."""
        return bool(self.states())

    def initialize(self) -> None:
        """Do nothing: axle opens engines when they are used."""

    def probe(self, resources: list[Resource]) -> list[Resource]:
        """Give those that an engine reaches."""
        reached = {resource.id for state in self.states() for resource in state.resources}
        return [resource for resource in resources if resource.id in reached]

    def required_build_profiles(self, config: BackendConfig) -> list[BuildProfile]:
        """Give one for each engine that runs only what was compiled before. axle compiles by itself; this says what it will do."""
        flags = {"precision": config.dtype} if config.dtype else {}
        profiles = []
        for state in self.states():
            kinds = {resource.kind for resource in state.resources if self._needs_compile(state, resource.id)}
            version = state.info.library.version if state.info.library else ""
            profiles += [BuildProfile(ResourceType(kind), state.name, version, dict(flags), "engine") for kind in sorted(kinds)]
        return profiles

    def get_capability(self, resources: list[Resource], config: BackendConfig, artifacts: list[BuildArtifact]) -> Capability:
        """Give what the engines can do on all of these resources together."""
        del config, artifacts
        ids = {resource.id for resource in resources}
        said = [capability for state in self.states() for id_, capability in state.capabilities.items() if id_ in ids]
        merged = Capability(requires_precompile=bool(said) and all(one.needs_compile for one in said))
        for one in map(Capability.from_axle, said):
            merged.dtype += [dtype for dtype in one.dtype if dtype not in merged.dtype]
            merged.formats += [name for name in one.formats if name not in merged.formats]
        return merged

    def prepare_resource(self, resource: Resource, config: BackendConfig) -> axle.Session:
        """Plan, compile or fetch, and load the model on this resource; nothing stands in for it that the policy does not allow."""
        return self._open(config.device or _selector(resource), config)

    def create_session(self, resources: list[Resource], config: BackendConfig, artifacts: list[BuildArtifact]) -> axle.Session:
        """Load the model where it runs best among these resources; on any when none are given."""
        del artifacts
        named = ",".join(map(_selector, resources)) or None
        return self._open(config.device or named, config)

    def execute(self, resource: axle.Session, inputs: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Run a session that prepare_resource or create_session gave; keywords as `axle.Session.run`."""
        return resource.run(inputs, **kwargs)

    def cleanup(self) -> None:
        """Do nothing: a session belongs to who asked for it."""

    def _open(self, device: str | None, config: BackendConfig) -> axle.Session:
        choice: dict[str, Any] = {"device": device, "engine": self.engine, "threads": config.threads}
        if config.dtype:
            choice["precision"] = axle_precision(config.dtype)
        return axle.Session.create(config.model, config.policy, **{name: value for name, value in choice.items() if value is not None})

    @staticmethod
    def _needs_compile(state: axle.EngineState, resource: str) -> bool:
        return resource in state.capabilities and state.capabilities[resource].needs_compile


def _selector(resource: Resource) -> str:
    return f"{resource.id}#{axle.SIMULATED_TAG}" if resource.simulated else resource.id


def engine_plugins() -> list[type[Plugin]]:
    """Give the plugin classes: `AxlePlugin`, and one for each engine that axle knows, here or not."""
    plugins: list[type[Plugin]] = [AxlePlugin]
    for state in axle.engines():
        metadata = PluginMetadata(
            name=state.name,
            version=state.info.library.version if state.info.library else state.info.plugin_version,
            vendor=state.info.vendor,
            resource_types=tuple(ResourceType(kind) for kind in sorted({resource.kind for resource in state.resources})),
            priority=ENGINE_PRIORITY,
            description=state.info.description,
        )
        body = {"engine": state.name, "metadata": classmethod(lambda _, metadata=metadata: metadata), "__doc__": metadata.description}
        plugins.append(type(f"{state.name.title().replace('_', '')}Plugin", (AxlePlugin,), body))
    return plugins
