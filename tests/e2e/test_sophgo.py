"""descriptions/sophgo.toml and sophgo_bm.toml on Sophgo's own compiler, runtimes and simulators, where they are installed."""

from __future__ import annotations

import described
import numpy as np
import pytest
import top_modules

ENGINES = {"sophgo": ["bf16", "int8"], "sophgo_bm": ["f32", "f16", "bf16", "int8"]}
CASES = [(engine, precision) for engine, precisions in ENGINES.items() for precision in precisions]
# Largest difference over the largest value; int8 by direction, since its table is of one sample.
BOUNDS = {"f32": 1e-5, "f16": 5e-3, "bf16": 3e-2}


@pytest.fixture
def sophgo(axle, tmp_path, monkeypatch):
    """Gives a function that takes one of the two descriptions into use, or skips."""
    return lambda name: described.use(axle, tmp_path, monkeypatch, name)


def check(made: list[np.ndarray], expected: list[np.ndarray], precision: str) -> None:
    for got, wanted in zip(made, expected, strict=True):
        assert got.shape == wanted.shape
        if precision == "int8":
            assert described.cosine(got, wanted) > 0.99
        else:
            assert np.abs(got - wanted).max() <= BOUNDS[precision] * np.abs(wanted).max()


@pytest.mark.parametrize(("engine", "precision"), CASES)
@pytest.mark.parametrize("make", [top_modules.small_cnn, top_modules.mlp, top_modules.two_by_two])
def test_compiled_once_and_run_by_another_process(axle, sophgo, tmp_path, engine, precision, make):
    sophgo(engine)
    module = make()
    model = module.write(tmp_path / "model", table=precision == "int8")
    compiled = axle("compile", model, "--engine", engine, "--device", "npu#sim", "--precision", precision, "--json")
    assert compiled.code == 0, compiled.out + compiled.err
    answer = described.run(axle, model, engine, "--precision", precision)
    assert answer.code == 0, answer.out + answer.err
    partition = answer.json["plan"]["partitions"][0]
    assert partition["cache"] == "hit"
    assert partition["simulated"] is True
    assert partition["isolated"] is True
    assert partition["precision"] == precision
    check(described.outputs(model, len(module.outputs)), module.expected(), precision)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_scalars_go_in_and_come_out(axle, sophgo, tmp_path, precision):
    """The vendor's runtime reads nothing of an input that has no axes, and says that all is well: it is handed over as [1]."""
    sophgo("sophgo_bm")
    module = top_modules.scalars()
    model = module.write(tmp_path / "model")
    answer = described.run(axle, model, "sophgo_bm", "--precision", precision)
    assert answer.code == 0, answer.out + answer.err
    check(described.outputs(model, 2), module.expected(), precision)


def test_weights_and_table_are_part_of_the_model(axle, sophgo, tmp_path):
    sophgo("sophgo")
    module = top_modules.mlp()
    model = module.write(tmp_path / "model", table=True)
    hits = []
    for changed in (False, False, True):
        if changed:
            module.weights["weight1"] = module.weights["weight1"] + 1
            np.savez(model.parent / "mlp_weights.npz", **module.weights)
        answer = described.run(axle, model, "sophgo", "--precision", "int8")
        assert answer.code == 0, answer.out + answer.err
        hits.append(answer.json["plan"]["partitions"][0]["cache"])
    assert hits == ["miss", "hit", "miss"]


def test_a_changed_artefact_is_made_again(axle, sophgo, tmp_path):
    """The vendor's runtime takes changed weights silently, and dies of a truncated file."""
    sophgo("sophgo")
    module = top_modules.small_cnn()
    model = module.write(tmp_path / "model")
    assert described.run(axle, model, "sophgo", "--precision", "bf16").code == 0
    artefact = next(file for file in described.blobs(tmp_path / "cache") if file.read_bytes()[:8] == b"CviModel")
    for damage in (lambda data: data[: len(data) // 2], lambda data: data[:3000] + bytes(64) + data[3064:]):
        whole = artefact.read_bytes()
        artefact.chmod(0o600)
        artefact.write_bytes(damage(whole))
        answer = described.run(axle, model, "sophgo", "--precision", "bf16")
        assert answer.code == 0, answer.out + answer.err
        assert answer.json["plan"]["partitions"][0]["cache"] == "miss"
        check(described.outputs(model, 1), module.expected(), "bf16")
        artefact = next(file for file in described.blobs(tmp_path / "cache") if file.read_bytes()[:8] == b"CviModel")


def test_int8_without_a_table_is_told(axle, sophgo, tmp_path):
    sophgo("sophgo")
    model = top_modules.mlp().write(tmp_path / "model")
    answer = described.run(axle, model, "sophgo", "--precision", "int8")
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "FAILED_PRECONDITION", answer.out
    assert "int8 needs a calibration table" in described.error_of(answer)["message"]


def test_an_operator_that_the_dialect_lacks_is_told(axle, sophgo, tmp_path):
    sophgo("sophgo")
    module = top_modules.TopModule("odd")
    module.outputs = [module.unknown(module.input(1, 4))]
    answer = described.run(axle, module.write(tmp_path / "model"), "sophgo", "--precision", "bf16")
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "UNIMPLEMENTED", answer.out


def test_a_compiler_that_ends_itself_is_told(axle, sophgo, tmp_path):
    """The compiler aborts on what the CV18xx chips lack."""
    sophgo("sophgo")
    module = top_modules.TopModule("ceil")
    x = module.input(1, 4, 4, 4)
    module.outputs = [module.unary(x, "Ceil", np.ceil(module.values[x]))]
    answer = described.run(axle, module.write(tmp_path / "model"), "sophgo", "--precision", "bf16")
    assert answer.code != 0
    assert described.error_of(answer)["code"] == "UNIMPLEMENTED", answer.out
    assert "the compiler ended itself" in described.error_of(answer)["message"]


def test_a_chip_without_f32_is_not_used_for_it(axle, sophgo, tmp_path):
    sophgo("sophgo")
    answer = described.run(axle, top_modules.mlp().write(tmp_path / "model"), "sophgo")
    assert answer.code == 4
    assert "bf16" in answer.out


def test_the_chip_is_an_option_and_part_of_the_key(axle, sophgo, tmp_path):
    sophgo("sophgo")
    model = top_modules.mlp().write(tmp_path / "model")
    for chip, code in (("cv180x", 0), ("cv183x", 0), ("cv999", 3)):
        (tmp_path / "policy.toml").write_text(f'[engines.sophgo]\nchip = "{chip}"\n', encoding="utf-8")
        answer = described.run(axle, model, "sophgo", "--precision", "bf16", "--policy", tmp_path / "policy.toml")
        assert answer.code == code, answer.out + answer.err
        if code == 0:
            assert answer.json["plan"]["partitions"][0]["cache"] == "miss"
