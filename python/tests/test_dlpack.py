"""What other frameworks get of axle's tensors: the fields of the DLPack capsules, read as dlpack.h 1.1 lays them out."""

import ctypes
import gc
import weakref

import ml_dtypes
import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper

import axle

HOST = (1, 0)
READ_ONLY, IS_COPIED = 1, 2


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class ElementType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class View(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", ElementType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Managed(ctypes.Structure):
    _fields_ = [("view", View), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("view", View),
    ]


def pointer_in(capsule, name: bytes) -> int:
    read = ctypes.pythonapi.PyCapsule_GetPointer
    read.restype, read.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return read(capsule, name)


def kept(structure, capsule):
    """Give the structure with the capsule, whose end would free it."""
    structure.capsule = capsule
    return structure


def versioned(capsule) -> Versioned:
    return kept(Versioned.from_address(pointer_in(capsule, b"dltensor_versioned")), capsule)


def unversioned(capsule) -> Managed:
    return kept(Managed.from_address(pointer_in(capsule, b"dltensor")), capsule)


def fields(view: View) -> tuple[int, int, int]:
    return view.dtype.code, view.dtype.bits, view.dtype.lanes


# dlpack.h 1.1, DLDataTypeCode.
CODES = [
    (np.float32, (2, 32, 1)),
    (np.int64, (0, 64, 1)),
    (np.uint8, (1, 8, 1)),
    (np.bool_, (6, 8, 1)),
    (np.complex64, (5, 64, 1)),
    (ml_dtypes.bfloat16, (4, 16, 1)),
    (ml_dtypes.float8_e4m3fn, (10, 8, 1)),
    (ml_dtypes.float8_e4m3fnuz, (11, 8, 1)),
    (ml_dtypes.float8_e5m2, (12, 8, 1)),
    (ml_dtypes.float8_e5m2fnuz, (13, 8, 1)),
    (ml_dtypes.float8_e8m0fnu, (14, 8, 1)),
    (ml_dtypes.float4_e2m1fn, (17, 4, 1)),
    (ml_dtypes.int4, (0, 4, 1)),
    (ml_dtypes.uint4, (1, 4, 1)),
    (ml_dtypes.int2, (0, 2, 1)),
]


@pytest.mark.parametrize(("dtype", "element"), CODES, ids=lambda one: getattr(one, "__name__", ""))
def test_every_element_type_has_its_code(dtype, element):
    array = np.ones((2, 3), dtype)
    tensor = axle.Tensor(array)
    managed = versioned(tensor.__dlpack__(max_version=(1, 1)))
    assert (managed.major, managed.minor) == (1, 1)
    assert managed.flags == 0
    assert fields(managed.view) == element
    assert fields(unversioned(tensor.__dlpack__()).view) == element
    view = managed.view
    assert ((view.device.type, view.device.id), view.ndim, view.shape[:2], view.strides[:2]) == (HOST, 2, [2, 3], [3, 1])
    if element[1] >= 8:
        assert view.data + view.byte_offset == array.ctypes.data, "the bytes are shared"
    else:
        assert ctypes.string_at(view.data, tensor.size_bytes) == tensor.bytes().tobytes(), "packed"
        assert tensor.size_bytes == (6 * element[1] + 7) // 8


def test_the_version_is_no_newer_than_the_consumer_asks():
    tensor = axle.Tensor(np.zeros(3, np.float32))
    assert tensor.__dlpack_device__() == HOST
    for asked, given in (((1, 0), (1, 0)), ((1, 1), (1, 1)), ((1, 9), (1, 1)), ((2, 0), (1, 1))):
        managed = versioned(tensor.__dlpack__(max_version=asked))
        assert (managed.major, managed.minor) == given
    for old in (None, (0, 8)):
        assert unversioned(tensor.__dlpack__(max_version=old)).view.ndim == 1


def test_read_only_is_said_or_refused():
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    tensor = axle.Tensor(array)
    assert tensor.read_only
    assert versioned(tensor.__dlpack__(max_version=(1, 0))).flags == READ_ONLY
    with pytest.raises(BufferError):
        tensor.__dlpack__()
    managed = versioned(tensor.__dlpack__(max_version=(1, 0), copy=True))
    assert managed.flags == IS_COPIED


def test_a_copy_has_bytes_of_its_own():
    array = np.arange(4, dtype=ml_dtypes.bfloat16)
    managed = versioned(axle.Tensor(array).__dlpack__(max_version=(1, 1), copy=True))
    assert managed.view.data != array.ctypes.data
    assert ctypes.string_at(managed.view.data, array.nbytes) == array.tobytes()


def test_what_cannot_be_exported_is_a_buffer_error():
    tensor = axle.Tensor(np.zeros(3, np.float32))
    with pytest.raises(BufferError):
        tensor.__dlpack__(dl_device=(2, 0))
    assert tensor.__dlpack__(dl_device=HOST) is not None
    with pytest.raises(ValueError):
        tensor.__dlpack__(stream=1)
    with pytest.raises(BufferError):
        axle.Tensor(np.array(["a", "b"])).__dlpack__()


def test_a_capsule_that_nobody_took_lets_go_of_the_array():
    class Watched(np.ndarray):
        pass

    array = np.zeros(8, np.float32).view(Watched)
    gone = weakref.ref(array)
    capsules = [axle.Tensor(array).__dlpack__(), axle.Tensor(array).__dlpack__(max_version=(1, 1))]
    del array
    gc.collect()
    assert gone() is not None
    capsules.clear()
    gc.collect()
    assert gone() is None


def test_numpy_takes_what_it_knows_and_shares_it():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    again = np.from_dlpack(axle.Tensor(array))
    assert np.shares_memory(again, array)
    with pytest.raises((BufferError, RuntimeError)):
        np.from_dlpack(axle.Tensor(array.astype(ml_dtypes.bfloat16)))


@pytest.fixture
def cast_session(make_session):
    def make(element_type: int, opset: int = 19) -> axle.Session:
        specs = [("x", TensorProto.FLOAT, [4])], [("y", element_type, [4])]
        return make_session([helper.make_node("Cast", ["x"], ["y"], to=element_type)], *specs, opset=opset)

    return make


X = np.array([0, 1, -2, 3], np.float32)
OUTPUTS = [
    (TensorProto.BFLOAT16, "bf16", ml_dtypes.bfloat16, (4, 16, 1)),
    (TensorProto.FLOAT8E4M3FN, "f8e4m3fn", ml_dtypes.float8_e4m3fn, (10, 8, 1)),
    (TensorProto.FLOAT8E5M2, "f8e5m2", ml_dtypes.float8_e5m2, (12, 8, 1)),
]


@pytest.mark.parametrize(("element_type", "word", "dtype", "element"), OUTPUTS, ids=str)
def test_outputs_of_a_run_as_arrays_and_as_tensors(cast_session, element_type, word, dtype, element):
    session = cast_session(element_type)
    array = session.run({"x": X})["y"]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array.astype(np.float32), X)
    tensor = session.run_tensors({"x": X})["y"]
    assert (tensor.dtype, tensor.shape, tensor.element_count) == (word, (4,), 4)
    np.testing.assert_array_equal(tensor.numpy().astype(np.float32), X)
    for one in (tensor, axle.Tensor(array)):
        assert fields(versioned(one.__dlpack__(max_version=(1, 0))).view) == element


def test_outputs_of_four_bits_stay_packed_in_a_tensor(cast_session):
    session = cast_session(TensorProto.INT4, opset=21)
    array = session.run({"x": X})["y"]
    assert array.dtype == ml_dtypes.int4
    np.testing.assert_array_equal(array.astype(np.int8), X)
    tensor = session.run_tensors({"x": X})["y"]
    assert (tensor.dtype, tensor.size_bytes) == ("i4", 2)
    assert tensor.bytes().tolist() == [0x10, 0x3E], "low bits first"
    np.testing.assert_array_equal(tensor.numpy().astype(np.int8), X)


def test_a_tensor_goes_in_and_out_of_a_run(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    path = save_model(tmp_path / "same.onnx", nodes, [("x", TensorProto.FLOAT, [4])], [("y", TensorProto.FLOAT, [4])])
    session = axle.Session.create(path, engine="onnxruntime", threads=1)
    shared = axle.Tensor.allocate_shared("f32", [4])
    assert shared.memory_space == "shared"
    np.asarray(shared)[:] = X
    np.testing.assert_array_equal(session.run({"x": shared})["y"], X)
    assert session.copies == 0
    out = axle.Tensor.allocate("f32", [4])
    binding = session.make_binding()
    binding.bind_input("x", shared)
    binding.bind_output("y", out)
    binding.run()
    np.testing.assert_array_equal(out.numpy(), X)
    assert binding.output("y") is out
    with pytest.raises(axle.InvalidArgumentError, match="f16"):
        session.run({"x": axle.Tensor(X.astype(np.float16))})


def test_a_tensor_over_an_array_copies_only_when_asked():
    with pytest.raises(axle.InvalidArgumentError, match="ascontiguousarray"):
        axle.Tensor(X[::2])
    assert axle.Tensor(X[::2], copy=True).numpy().tolist() == [0, -2]
    array = X.copy()
    tensor = axle.Tensor(array)
    array[0] = 7
    assert tensor.numpy()[0] == 7
    assert axle.Tensor(array, copy=True).numpy().ctypes.data != array.ctypes.data
    assert tensor.reshaped([2, 2]).shape == (2, 2)
    with pytest.raises(axle.InvalidArgumentError):
        tensor.reshaped([3])
    with pytest.raises(axle.InvalidArgumentError):
        np.asarray(axle.Tensor(X.astype(ml_dtypes.int4)), copy=False)
    np.testing.assert_array_equal(np.asarray(axle.Tensor(X.astype(ml_dtypes.int4)), np.float32), X)


def test_files_of_numpy(tmp_path):
    path = str(tmp_path / "x.npz")
    axle.save_npz(path, {"x": X, "half": X.astype(ml_dtypes.float8_e5m2)})
    read = axle.load_npz(path)
    np.testing.assert_array_equal(read["x"].numpy(), np.load(path)["x"])
    assert read["half"].dtype == "u8"
    np.testing.assert_array_equal(read["half"].raw_as("f8e5m2").numpy().astype(np.float32), X)
    one = str(tmp_path / "x.npy")
    axle.save_npy(one, X)
    np.testing.assert_array_equal(axle.load_npy(one).numpy(), X)
    with pytest.raises(axle.NotFoundError):
        axle.load_npy(str(tmp_path / "y.npy"))


def test_torch_takes_all_that_it_knows(cast_session):
    torch = pytest.importorskip("torch", reason="torch is not installed here: run this file by a Python that has it")
    for element_type, word, torch_type in (
        (TensorProto.BFLOAT16, "bf16", torch.bfloat16),
        (TensorProto.FLOAT8E4M3FN, "f8e4m3fn", torch.float8_e4m3fn),
        (TensorProto.FLOAT8E5M2, "f8e5m2", torch.float8_e5m2),
    ):
        session = cast_session(element_type)
        tensor = session.run_tensors({"x": X})["y"]
        taken = torch.from_dlpack(tensor)
        assert (taken.dtype, tensor.dtype) == (torch_type, word)
        assert taken.data_ptr() == tensor.bytes().ctypes.data, "the bytes are shared"
        np.testing.assert_array_equal(taken.to(torch.float32).numpy(), X)
        given = axle.Tensor(taken)
        assert given.dtype == word
        assert given.bytes().ctypes.data == taken.data_ptr()


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"])
def test_torch_takes_what_numpy_cannot_hand_on(name):
    torch = pytest.importorskip("torch", reason="torch is not installed here: run this file by a Python that has it")
    array = np.array([1, 2, 0.5, 4], np.float32).astype(getattr(ml_dtypes, name))
    taken = torch.from_dlpack(axle.Tensor(array))
    assert taken.dtype == getattr(torch, name)
    assert taken.data_ptr() == array.ctypes.data
    np.testing.assert_array_equal(taken.to(torch.float32).numpy(), array.astype(np.float32))


def test_torch_refuses_integers_of_four_bits():
    torch = pytest.importorskip("torch", reason="torch is not installed here: run this file by a Python that has it")
    array = X.astype(ml_dtypes.int4)
    with pytest.raises((RuntimeError, BufferError)):
        torch.from_dlpack(axle.Tensor(array))
    assert torch.from_numpy(array.astype(np.int8)).tolist() == [0, 1, -2, 3]
