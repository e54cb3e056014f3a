"""gpukit: policies as code over axle. One Python API for GPU, NPU and CPU, where nothing is substituted unless it was allowed.

>>> import gpukit as gk
>>> session = gk.InferenceSession("model.onnx", device="cpu", engine="onnxrt")
>>> out = session.run({"input": x})

`gpukit.inference` and `gpukit.policies` hold what stands here, `gpukit.runtime` devices, streams, memory, registries and profiling.
`gpukit.pytorch`, `gpukit.training`, `gpukit.kernels` and `gpukit.llm` are planned: importing one raises `NotInThisVersionError`.
"""

from gpukit import runtime as runtime
from gpukit._later import NotInThisVersionError
from gpukit.policies import ExecutionPolicy, KernelPolicy, Preference, forbid, prefer
from gpukit.runtime import devices
from gpukit.session import InferenceSession, NodeArg, make_policy

__all__ = [
    "ExecutionPolicy",
    "InferenceSession",
    "KernelPolicy",
    "NodeArg",
    "NotInThisVersionError",
    "Preference",
    "devices",
    "forbid",
    "make_policy",
    "prefer",
    "runtime",
]
