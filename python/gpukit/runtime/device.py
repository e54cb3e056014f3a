"""Devices: what this machine has, with which drivers, and what engines can do on it."""

from __future__ import annotations

import axle


class DeviceManager:
    """The devices of this machine, by the words that sessions take: ``"cuda:0"``, ``"gpu"``, ``"npu"``, ``"cpu"``, ``"gpu@nvidia"``.

    Args:
        runtime: None = the process's own.

    """

    def __init__(self, runtime: axle.Runtime | None = None):
        self._runtime = runtime or axle.Runtime.default()

    def devices(self, device: str | None = None) -> list[axle.Resource]:
        """Give the devices that a selector matches, none if none does; None = all, in the order of their ids.

        Simulated devices, which engines bring, are in the list of all and are found by id or by their tag: ``"pim#sim"``.

        Raises:
            InvalidArgumentError: a malformed selector.

        """
        found = axle.devices(self._runtime)
        if device is None:
            return found
        selector = axle.parse_selector(device)
        matching = set(self._runtime.machine().select(selector))
        # As a policy reads it: what is simulated is never found by its kind alone.
        wanted = axle.SIMULATED_TAG in selector.tags
        return [
            resource
            for resource in found
            if resource.id in matching or resource.id == device or (wanted and resource.simulated and selector.matches(resource))
        ]

    def find(self, device: str) -> axle.Resource:
        """Give the first device that a selector matches.

        Raises:
            FailedPreconditionError: there is none; the message says what there is.
            InvalidArgumentError: a malformed selector.

        """
        matching = self.devices(device)
        if not matching:
            there = ", ".join(f"{resource.id} ({resource.name})" for resource in self.devices())
            raise axle.FailedPreconditionError(
                f"no resource of this machine matches {device}: it has {there}", hint="`axle devices` lists them with their drivers"
            )
        return matching[0]

    def count(self, device: str = "auto") -> int:
        """Give how many devices a selector matches."""
        return len(self.devices(device))

    def driver(self, device: str) -> str:
        """Give the kernel driver of a device with its version; "" when none is bound, as for CPUs. Errors as `find`."""
        return self.find(device).driver

    def engines(self, device: str) -> dict[str, str]:
        """Give the engines that reach a device, with the version of each one's library. Opens engines; errors as `find`."""
        return {state.name: _version(state) for state in self._reaching(self.find(device).id)}

    def capabilities(self, device: str) -> dict[str, axle.Capability]:
        """Give what each engine can do on a device: precisions, formats, options, limits. Opens engines; errors as `find`."""
        name = self.find(device).id
        return {state.name: state.capabilities[name] for state in self._reaching(name) if name in state.capabilities}

    def _reaching(self, name: str) -> list[axle.EngineState]:
        states = self._runtime.engine_states()
        return [state for state in states if state.present and any(resource.id == name for resource in state.resources)]


def _version(state: axle.EngineState) -> str:
    library = state.info.library
    return library.version if library is not None else state.info.plugin_version


def devices(runtime: axle.Runtime | None = None) -> list[axle.Resource]:
    """Give every device of this machine, in the order of their ids; `gpukit.runtime.DeviceManager` finds one by a selector."""
    return DeviceManager(runtime).devices()
