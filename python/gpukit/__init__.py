"""gpukit: policies as code over axle. One Python API for GPU, NPU and CPU, where nothing is substituted unless it was allowed.

>>> import gpukit as gk
>>> session = gk.InferenceSession("model.onnx", device="cpu", engine="onnxrt")
>>> out = session.run({"input": x})
"""

from gpukit.policies import ExecutionPolicy, KernelPolicy, forbid, prefer
from gpukit.session import InferenceSession, make_policy

__all__ = ["ExecutionPolicy", "InferenceSession", "KernelPolicy", "forbid", "make_policy", "prefer"]
