"""Training. Not in this version: importing it raises `NotInThisVersionError`."""

from gpukit._later import not_in_this_version

raise not_in_this_version(
    "gpukit.training",
    "it is the home of gpukit.pytorch, which is not done yet",
    "train with torch alone, export to ONNX and run with gpukit.InferenceSession",
)
