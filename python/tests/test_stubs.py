"""The generated stub says what the module has, and the packages say that they are typed."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from nanobind import stubgen

import axle
import axle.explain
import gpukit
import gpukit.inference
import rm_abstract
import rm_abstract.backends
from axle import _core

STUB = Path(_core.__file__).parent / "_core.pyi"


def names_of(body: list[ast.stmt]) -> set[str]:
    found = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return {name for name in found if not name.startswith("_")}


def public(owner) -> set[str]:
    return {name for name in vars(owner) if not name.startswith("_")}


def test_the_stub_is_what_the_module_gives_now(tmp_path):
    again = tmp_path / "_core.pyi"
    done = subprocess.run(
        [sys.executable, stubgen.__file__, "-q", "-m", "axle._core", "-o", str(again)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert again.read_text() == STUB.read_text(), "the stub is older than the module: build again"


def test_the_stub_names_everything():
    tree = ast.parse(STUB.read_text())
    assert names_of(tree.body) == public(_core)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            assert names_of(node.body) == public(getattr(_core, node.name)), node.name


def test_no_type_in_the_stub_is_left_out():
    text = STUB.read_text()
    for word in ("axle::", "std::", "@overload", "object: ..."):
        assert word not in text, word


@pytest.mark.parametrize("package", [axle, axle.explain, gpukit, gpukit.runtime, gpukit.inference, rm_abstract, rm_abstract.backends])
def test_packages_are_typed_and_every_public_thing_is_described(package):
    assert (Path(sys.modules[package.__name__.split(".")[0]].__file__).parent / "py.typed").exists()
    for name in package.__all__:
        assert hasattr(package, name), name
        value = getattr(package, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{package.__name__}.{name} has no docstring"


@pytest.mark.parametrize("path", sorted(Path(gpukit.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_every_function_of_gpukit_says_its_types(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        bare = [argument.arg for argument in arguments if argument.annotation is None and argument.arg not in ("self", "cls")]
        assert not bare, f"{path}:{node.lineno}: {bare} without a type"
        assert node.returns is not None or node.name == "__init__", f"{path}:{node.lineno}: {node.name} without a result's type"


def test_everything_bound_is_reachable_or_internal():
    internal = {"EngineAhead", "SessionCore", "open_engine_ahead"}
    internal |= {"bench_model", "convert_on", "samples_on", "tune_model"}  # behind the functions of axle.api
    internal |= {f"explain_session_{form}" for form in ("html", "json", "text")}
    assert public(_core) - set(axle.__all__) - set(axle.explain.__all__) == internal
