"""The names of models that run unchanged on any device, which this version does not have, and what stands in their place."""

from __future__ import annotations

_UNCHANGED = "nothing here takes over the calls of PyTorch and Transformers yet"
_RUN = "export the model to ONNX; rm_abstract.ResourceManager().create_session or axle.Session.create(model, device=...) runs it"
_PLUGIN = "derive from rm_abstract.Plugin, or from rm_abstract.backends.BackendPluginAdapter for a class with prepare_model and execute"
_NO_EXPORT = "models are not exported from PyTorch by themselves yet"
_VENDOR = (
    "export the model to ONNX; rm_abstract.CLICompilerAdapter and BinaryRuntimeAdapter take a vendor's tools, "
    "`axle engines --all` lists descriptions of known ones"
)

# What is missing, and what serves meanwhile.
LATER = {
    "init": (_UNCHANGED, _RUN),
    "switch_device": (_UNCHANGED, f"a session is made for a device: {_RUN}"),
    "DeviceFlowController": (_UNCHANGED, "rm_abstract.ResourceManager chooses the plugin that serves a resource"),
    "ModelInterceptor": (_UNCHANGED, f"no method of a model is replaced: {_RUN}"),
    "Backend": ("nothing would call one", _PLUGIN),
    "DeviceInfo": ("no backend would give one", "rm_abstract.Resource and rm_abstract.Capability describe a device"),
    "GPUBackend": ("there is no vLLM engine here yet", "rm_abstract.GpuTorchRuntime runs tensors through a model on a GPU"),
    "NPUBackend": (_NO_EXPORT, _VENDOR),
    "RBLNBackend": (_NO_EXPORT, _VENDOR),
    "FuriosaBackend": (_NO_EXPORT, _VENDOR),
}
