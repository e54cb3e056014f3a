"""Inference: `InferenceSession`, its declarations and the translation of its arguments."""

from gpukit.session import InferenceSession, NodeArg, make_policy

__all__ = ["InferenceSession", "NodeArg", "make_policy"]
