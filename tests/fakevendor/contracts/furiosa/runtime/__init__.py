"""FAKE: the contract of FuriosaAI's runtime."""

from __future__ import annotations

import fake_npu


class Runner:
    """A loaded program."""

    def __init__(self, program: bytes) -> None:
        self.program = program

    def run(self, inputs):
        """All results, as a list."""
        return fake_npu.run(self.program, list(inputs))


def create_runner(program: bytes) -> Runner:
    """Load what the compiler gave."""
    return Runner(program)
