"""Generation with language models. Not in this version: importing it raises `NotInThisVersionError`."""

from gpukit._later import not_in_this_version

raise not_in_this_version(
    "gpukit.llm",
    "there is no tokeniser, key-value cache or sampling here yet",
    "a language model exported to ONNX runs step by step with gpukit.InferenceSession",
)
