"""Hooks into PyTorch training. Not in this version: importing it raises `NotInThisVersionError`."""

from gpukit._later import not_in_this_version

raise not_in_this_version(
    "gpukit.pytorch",
    "kernel policies, autocast and graph capture for training are not done yet",
    "train with torch alone, export to ONNX and run with gpukit.InferenceSession; gpukit.KernelPolicy is the object that both will take",
)
