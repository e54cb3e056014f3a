"""Proofs that arrays are borrowed: addresses, memory figures, and bytes that change under a binding."""

import array
import ctypes
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper

import axle


class Exporter:
    """Something that only speaks DLPack, as another framework's tensor does."""

    def __init__(self, array):
        self.array = array
        self.asked = []

    def __dlpack__(self, **options):
        self.asked.append(options)
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OldExporter:
    """The same from before DLPack 1.0: no max_version."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)


class DeviceExporter(OldExporter):
    def __dlpack__(self, stream=None):
        raise AssertionError("memory of another device must not be asked for")

    def __dlpack_device__(self):
        return (2, 0)


def measured_growth(body: str) -> int:
    """MiB by which the peak of resident memory grew over `body`, in a process of its own."""
    script = textwrap.dedent("""
        import resource, sys
        import numpy as np, axle
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    """) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture
def reduce_model(tmp_path):
    nodes = [helper.make_node("ReduceMax", ["x"], ["y"], keepdims=0)]
    return save_model(tmp_path / "reduce.onnx", nodes, [("x", TensorProto.FLOAT, ["n"])], [("y", TensorProto.FLOAT, [])])


@pytest.fixture
def expand_model(tmp_path):
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [64 << 20])
    nodes = [helper.make_node("Expand", ["x", "shape"], ["y"])]
    inputs, outputs = [("x", TensorProto.FLOAT, [1])], [("y", TensorProto.FLOAT, [64 << 20])]
    return save_model(tmp_path / "expand.onnx", nodes, inputs, outputs, [shape])


def test_a_large_input_is_not_copied(reduce_model):
    growth = measured_growth(f"""
        session = axle.Session.create({reduce_model!r}, engine="onnxruntime", threads=1)
        x = np.ones(64 << 20, np.float32)
        session.run({{"x": x[:1000]}})
        before = peak()
        assert session.run({{"x": x}})["y"] == 1
        assert session.copies == 0
        print(peak() - before)
    """)
    assert growth < 64, f"256 MiB of input cost {growth} MiB"


def test_a_large_output_is_written_in_place(expand_model):
    growth = measured_growth(f"""
        session = axle.Session.create({expand_model!r}, engine="onnxruntime", threads=1)
        before = peak()
        y = session.run({{"x": np.ones(1, np.float32)}})["y"]
        assert y.flags.owndata and y.nbytes == 256 << 20 and y[-1] == 1
        print(peak() - before)
    """)
    assert growth < 256 + 64, f"256 MiB of output cost {growth} MiB"


def test_a_binding_reads_and_writes_the_very_arrays(add_session):
    binding = add_session.make_binding()
    x, y, z = np.arange(4, dtype=np.float32), np.ones(4, np.float32), np.empty(4, np.float32)
    binding.bind_input("x", x)
    binding.bind_input(1, y)
    binding.bind_output("z", z)
    binding.run()
    np.testing.assert_array_equal(z, [1, 2, 3, 4])
    x += 10
    binding.run()
    np.testing.assert_array_equal(z, [11, 12, 13, 14])
    assert binding.output("z") is z
    assert binding.output(0) is z


def test_a_binding_keeps_its_arrays_and_copies_what_the_engine_allocated(add_session):
    binding = add_session.make_binding()
    binding.bind_input("x", np.full(4, 2, np.float32))
    binding.bind_input("y", np.full(4, 3, np.float32))
    churn = [np.full(4, i, np.float32) for i in range(100)]
    binding.run()
    first = binding.output("z")
    binding.run()
    np.testing.assert_array_equal(first, [5] * 4)
    assert not np.shares_memory(first, binding.output("z"))
    assert churn


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.arange(8, dtype=np.float32)[::2], "strided"),
        (np.ones(4), r"x\.astype\(np\.float32\)"),
        (np.ones(5, np.float32), r"f32\[5\]"),
    ],
)
def test_a_binding_refuses_what_it_would_have_to_copy_or_convert(add_session, values, words):
    with pytest.raises(axle.InvalidArgumentError, match=words):
        add_session.make_binding().bind_input("x", values)


def test_a_binding_refuses_outputs_that_cannot_be_written(add_session):
    binding = add_session.make_binding()
    locked = np.empty(4, np.float32)
    locked.flags.writeable = False
    for values in (locked, np.empty(8, np.float32)[::2], np.empty(4), b"1234567890123456"):
        with pytest.raises(axle.InvalidArgumentError):
            binding.bind_output("z", values)
    with pytest.raises(axle.InvalidArgumentError, match="no output 'w'"):
        binding.bind_output("w", np.empty(4, np.float32))
    with pytest.raises(axle.InvalidArgumentError, match="no input 7"):
        binding.bind_input(7, np.empty(4, np.float32))


@pytest.mark.parametrize("exporter", [Exporter, OldExporter])
def test_dlpack_is_borrowed(add_session, exporter):
    binding = add_session.make_binding()
    x, y, z = np.arange(4, dtype=np.float32), np.ones(4, np.float32), np.zeros(4, np.float32)
    binding.bind_input("x", exporter(x))
    binding.bind_input("y", y)
    binding.bind_output("z", exporter(z))
    binding.run()
    np.testing.assert_array_equal(z, [1, 2, 3, 4])
    x[:] = 5
    binding.run()
    np.testing.assert_array_equal(z, [6] * 4)
    np.testing.assert_array_equal(add_session.run({"x": exporter(x), "y": exporter(y)})["z"], [6] * 4)


def test_strided_dlpack_is_copied_and_counted(make_session):
    node = helper.make_node("Identity", ["x"], ["y"])
    session = make_session([node], [("x", TensorProto.FLOAT, ["n", "m"])], [("y", TensorProto.FLOAT, ["n", "m"])])
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[1:, ::2].T
    with pytest.warns(axle.CopyWarning):
        np.testing.assert_array_equal(session.run({"x": Exporter(x)})["y"], x)
    assert session.copies == 1


class Nibbles:
    """int4 values 1 to 4 as a transposed DLPack tensor, which numpy cannot make."""

    class View(ctypes.Structure):
        _fields_ = [
            ("data", ctypes.c_void_p),
            ("device", ctypes.c_int32 * 2),
            ("rank", ctypes.c_int32),
            ("code_bits_lanes", ctypes.c_uint8 * 4),
            ("shape", ctypes.POINTER(ctypes.c_int64)),
            ("strides", ctypes.POINTER(ctypes.c_int64)),
            ("byte_offset", ctypes.c_uint64),
            ("context", ctypes.c_void_p),
            ("deleter", ctypes.c_void_p),
        ]

    def __init__(self):
        self.bytes = (ctypes.c_uint8 * 2)(0x21, 0x43)
        self.shape, self.strides = (ctypes.c_int64 * 2)(2, 2), (ctypes.c_int64 * 2)(1, 2)
        cpu, int4 = (ctypes.c_int32 * 2)(1, 0), (ctypes.c_uint8 * 4)(0, 4, 1, 0)
        self.view = self.View(ctypes.addressof(self.bytes), cpu, 2, int4, self.shape, self.strides, 0, None, None)

    def __dlpack__(self, stream=None):
        capsule = ctypes.pythonapi.PyCapsule_New
        capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return capsule(ctypes.addressof(self.view), b"dltensor", None)

    def __dlpack_device__(self):
        return (1, 0)


# Guards: it came in as zeros.
def test_strided_dlpack_of_several_elements_to_a_byte_is_refused(make_session):
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT32)
    inputs, outputs = [("x", TensorProto.INT4, ["n", "m"])], [("y", TensorProto.INT32, ["n", "m"])]
    session = make_session([node], inputs, outputs, opset=21)
    with pytest.raises(axle.UnimplementedError, match=r"of i4, several(.|\n)*contiguous"):
        session.run({"x": Nibbles()})


def test_dlpack_of_another_device_or_type_is_refused(add_session):
    y = np.ones(4, np.float32)
    with pytest.raises(axle.InvalidArgumentError, match=r"another device.*\n.*x\.cpu\(\)"):
        add_session.run({"x": DeviceExporter(y), "y": y})
    with pytest.raises(axle.InvalidArgumentError, match=r"x\.to\(torch\.float32\)"):
        add_session.run({"x": Exporter(np.ones(4)), "y": y})


def test_the_buffer_protocol_is_borrowed(add_session):
    x = array.array("f", [1, 2, 3, 4])
    out = add_session.run({"x": memoryview(x), "y": x})
    np.testing.assert_array_equal(out["z"], [2, 4, 6, 8])
    assert add_session.copies == 0


def test_torch_tensors(add_session, make_session):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    out = add_session.run({"x": torch.arange(4, dtype=torch.float32), "y": torch.ones(4)})
    np.testing.assert_array_equal(out["z"], [1, 2, 3, 4])
    with pytest.raises(axle.InvalidArgumentError, match=r"x\.to\(torch\.float32\)"):
        add_session.run({"x": torch.arange(4), "y": torch.ones(4)})
    with pytest.raises(axle.InvalidArgumentError, match="detach"):
        add_session.run({"x": torch.ones(4, requires_grad=True), "y": torch.ones(4)})
    binding, z = add_session.make_binding(), torch.empty(4)
    binding.bind_input("x", torch.ones(4))
    binding.bind_input("y", torch.ones(4))
    binding.bind_output("z", z)
    binding.run()
    assert z.tolist() == [2, 2, 2, 2]
    assert binding.output("z") is z
    node = helper.make_node("Identity", ["x"], ["y"])
    session = make_session([node], [("x", TensorProto.BFLOAT16, ["n"])], [("y", TensorProto.BFLOAT16, ["n"])])
    x = torch.tensor([1.5, -2], dtype=torch.bfloat16)
    np.testing.assert_array_equal(session.run({"x": x})["y"].astype(np.float32), [1.5, -2])
    assert session.copies == 0
