"""axle.Session: what goes in and what comes out."""

import gc
import pickle
import threading
import warnings
import weakref

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

import axle


def identity(make_session, element, shape, opset=17, **choices):
    node = helper.make_node("Identity", ["x"], ["y"])
    return make_session([node], [("x", element, shape)], [("y", element, shape)], opset=opset, **choices)


def test_run_gives_fresh_arrays_by_name(add_session, feeds):
    first = add_session.run(feeds)
    second = add_session.run({"y": feeds["y"], "x": feeds["x"]})
    assert list(first) == ["z"]
    assert first["z"].dtype == np.float32
    np.testing.assert_array_equal(first["z"], [1, 2, 3, 4])
    np.testing.assert_array_equal(second["z"], [1, 2, 3, 4])
    assert not np.shares_memory(first["z"], second["z"])
    assert first["z"].flags.owndata
    assert first["z"].flags.writeable
    assert add_session.copies == 0


def test_an_array_changed_in_place_is_read_again(add_session, feeds):
    add_session.run(feeds)
    feeds["x"][:] = 10
    np.testing.assert_array_equal(add_session.run(feeds)["z"], [11] * 4)


def test_names_need_not_be_interned_and_feeds_may_be_any_mapping(add_session, feeds):
    class Lazy:
        def keys(self):
            return ["".join(["x"]), "".join(["y"])]

        def __getitem__(self, key):
            return feeds[key]

        def __len__(self):
            return 2

    np.testing.assert_array_equal(add_session.run(Lazy())["z"], [1, 2, 3, 4])
    with pytest.raises(TypeError, match="mapping"):
        add_session.run([1, 2])


def test_declares_inputs_and_outputs(add_session):
    assert [(spec.name, spec.dtype, spec.shape) for spec in add_session.inputs] == [("x", "f32", (4,)), ("y", "f32", (4,))]
    assert add_session.outputs[0].numpy_dtype == np.float32


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda f: f.pop("y"), ValueError, "input 'y' is missing: f32"),
        (lambda f: f.update(w=f["x"]), ValueError, "no input 'w'"),
        (lambda f: f.update(x=f["x"].astype(np.float64)), ValueError, r"float64, the model wants f32\n.*x\.astype\(np\.float32\)"),
        (lambda f: f.update(x=f["x"].astype(">f4").astype(np.int64)), ValueError, r"x\.astype\(np\.float32\)"),
        (lambda f: f.update(x=f["x"][:3]), ValueError, r"f32\[3\], the model wants f32\[4\]"),
        (lambda f: f.update(x=f["x"].reshape(2, 2)), ValueError, "number of axes"),
        (lambda f: f.update(x=[1, 2, 3, 4]), ValueError, r"np\.asarray\(x, dtype=np\.float32\)"),
        (lambda f: f.update(x=None), ValueError, "NoneType"),
        (lambda f: f.update({1: f["x"]}), TypeError, "named by str"),
    ],
)
def test_refuses_what_does_not_fit_and_goes_on_working(add_session, feeds, change, kind, words):
    good = dict(feeds)
    change(feeds)
    with pytest.raises(kind, match=words) as caught:
        add_session.run(feeds)
    if kind is ValueError:
        assert isinstance(caught.value, axle.InvalidArgumentError)
        assert caught.value.code == "INVALID_ARGUMENT"
    np.testing.assert_array_equal(add_session.run(good)["z"], [1, 2, 3, 4])


@pytest.mark.parametrize("name", [1, None, b"x"])
def test_samples_are_named_by_str_too(add_model, feeds, tmp_path, name):
    wrong = {name: feeds["x"]}
    for call in (axle.plan, axle.tune, axle.bench, axle.Session.create):
        with pytest.raises(TypeError, match="inputs are named by str"):
            call(add_model, samples=wrong, device="cpu")
    with pytest.raises(TypeError, match="arrays are named by str"):
        axle.save_npz(str(tmp_path / "x.npz"), wrong)
    with pytest.raises(UnicodeEncodeError):
        axle.plan(add_model, samples={"\ud800": feeds["x"]})


DTYPES = {
    TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16, TensorProto.INT8: np.int8,
    TensorProto.UINT8: np.uint8, TensorProto.INT16: np.int16, TensorProto.UINT16: np.uint16, TensorProto.INT32: np.int32,
    TensorProto.UINT32: np.uint32, TensorProto.INT64: np.int64, TensorProto.UINT64: np.uint64, TensorProto.BOOL: np.bool_,
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
}  # fmt: skip


@pytest.mark.parametrize("element", DTYPES, ids=TensorProto.DataType.Name)
def test_element_types_pass_unchanged_and_uncopied(make_session, element):
    dtype = DTYPES[element]
    session = identity(make_session, element, [2, "n"], opset=21)
    x = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    y = session.run({"x": x})["y"]
    assert y.dtype == dtype
    assert y.tobytes() == x.tobytes()
    assert y.shape == (2, 3)
    assert session.copies == 0
    wrong = np.int32 if dtype is not np.int32 else np.float32
    with pytest.raises(axle.InvalidArgumentError, match="astype") as caught:
        session.run({"x": x.astype(np.float32).astype(wrong)})
    assert np.dtype(dtype).name.rstrip("_") in caught.value.hint


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"])
def test_eight_bit_floats(make_session, name):
    element = getattr(TensorProto, name.upper().replace("_", ""))
    dtype = getattr(ml_dtypes, name)
    # Most values are f32, so that the planner takes the model for an f32 one: no engine computes in f8.
    nodes = [
        helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Neg", ["wide"], ["negative"]),
        helper.make_node("Neg", ["negative"], ["back"]),
        helper.make_node("Cast", ["back"], ["y"], to=element),
    ]
    outputs = [("y", element, ["n"]), ("wide", TensorProto.FLOAT, ["n"])]
    session = make_session(nodes, [("x", element, ["n"])], outputs, opset=21)
    x = np.array([0, 1, -2, 0.5, 3], dtype)
    out = session.run({"x": x})
    np.testing.assert_array_equal(out["wide"], x.astype(np.float32))
    assert out["y"].dtype == dtype
    assert out["y"].tobytes() == x.tobytes()
    assert session.copies == 0


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_types_of_less_than_a_byte_are_packed_on_the_way(make_session, name):
    element = getattr(TensorProto, name.upper())
    dtype = getattr(ml_dtypes, name)
    low = -8 if name == "int4" else 0
    values = (np.arange(15) % 16 + low).astype(np.int8)
    cast = [helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.INT32), helper.make_node("Cast", ["wide"], ["y"], to=element)]
    session = make_session(cast, [("x", element, ["n"])], [("y", element, ["n"]), ("wide", TensorProto.INT32, ["n"])], opset=21)
    out = session.run({"x": values.astype(dtype)})
    np.testing.assert_array_equal(out["wide"], values.astype(np.int32))
    assert out["y"].dtype == dtype
    np.testing.assert_array_equal(out["y"].astype(np.int32), values.astype(np.int32))


@pytest.mark.parametrize(
    "x",
    [
        np.array([["ä", ""], ["long enough to leave the small string buffer", "d"]], object),
        np.array([["ä", "b"], ["c", "d"]]),
        np.array([[b"a", b"b"], [b"c", b"d"]]),
        np.array([["a", "b"], ["c", "d"]], np.dtypes.StringDType()),
    ],
    ids=["object", "str", "bytes", "StringDType"],
)
def test_text_goes_both_ways(make_session, x):
    session = identity(make_session, TensorProto.STRING, [2, "n"])
    y = session.run({"x": x})["y"]
    assert y.dtype == object
    expected = [[element.decode() if isinstance(element, bytes) else str(element) for element in row] for row in x]
    assert y.tolist() == expected
    with pytest.raises(axle.InvalidArgumentError, match="where text is wanted"):
        session.run({"x": np.array([[1, "a"]] * 2, object)})


def test_scalars_and_empty_arrays(make_session):
    session = identity(make_session, TensorProto.FLOAT, [])
    assert session.run({"x": np.float32(3)})["y"] == 3
    assert session.run({"x": np.array(4, np.float32)})["y"].shape == ()
    session = identity(make_session, TensorProto.FLOAT, ["n", 3])
    assert session.run({"x": np.empty((0, 3), np.float32)})["y"].shape == (0, 3)
    assert session.run({"x": np.ones((2, 3), np.float32)})["y"].shape == (2, 3)


def test_shapes_may_change_from_call_to_call(make_session):
    session = identity(make_session, TensorProto.FLOAT, ["n", "m"])
    for shape in [(1, 2), (300, 40), (1, 2), (7, 7), (300, 41), (0, 5)]:
        x = np.random.default_rng(0).random(shape, np.float32)
        np.testing.assert_array_equal(session.run({"x": x})["y"], x)


def test_shapes_that_only_the_engine_knows(make_session):
    node = helper.make_node("NonZero", ["x"], ["y"])
    session = make_session([node], [("x", TensorProto.FLOAT, [6])], [("y", TensorProto.INT64, [1, "k"])])
    assert session.run({"x": np.array([0, 1, 0, 1, 1, 0], np.float32)})["y"].tolist() == [[1, 3, 4]]
    assert session.run({"x": np.zeros(6, np.float32)})["y"].shape == (1, 0)


def test_symbols_that_promise_too_much(make_session):
    # The file says that y is as long as x; it is not.
    node = helper.make_node("Concat", ["x", "x"], ["y"], axis=0)
    session = make_session([node], [("x", TensorProto.FLOAT, ["n"])], [("y", TensorProto.FLOAT, ["n"])])
    for size in (3, 3, 5000, 2):
        x = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(session.run({"x": x})["y"], np.concatenate([x, x]))


def test_an_output_may_be_an_input(make_session):
    session = make_session(
        [helper.make_node("Neg", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, [4])],
        [("y", TensorProto.FLOAT, [4]), ("x", TensorProto.FLOAT, [4])],
    )
    x = np.arange(4, dtype=np.float32)
    out = session.run({"x": x})
    np.testing.assert_array_equal(out["x"], x)
    assert not np.shares_memory(out["x"], x)


def test_any_number_of_threads_may_run(make_session):
    session = identity(make_session, TensorProto.FLOAT, ["n"])
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for size in rng.integers(1, 5000, 200):
            x = rng.random(size, np.float32)
            if not np.array_equal(session.run({"x": x})["y"], x):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_inputs_are_let_go_after_the_call(add_session):
    class Tracked(np.ndarray):
        pass

    x = np.ones(4, np.float32).view(Tracked)
    gone = weakref.ref(x)
    add_session.run({"x": x, "y": np.ones(4, np.float32)})
    del x
    gc.collect()
    assert gone() is None


def test_run_async_gives_a_future(add_session, feeds):
    futures = [add_session.run_async({"x": np.full(4, i, np.float32), "y": feeds["y"]}) for i in range(50)]
    for i, future in enumerate(futures):
        np.testing.assert_array_equal(future.result(timeout=60)["z"], [i + 1] * 4)
    assert isinstance(add_session.run_async({}).exception(timeout=60), axle.InvalidArgumentError)


def test_cancelled_tokens_stop_a_call(add_session, feeds):
    token = axle.CancelToken()
    add_session.run(feeds, cancel=token)
    token.cancel()
    with pytest.raises(axle.CancelledError):
        add_session.run(feeds, cancel=token)
    with pytest.raises(TimeoutError):
        axle.CancelToken.with_timeout(0).check()
    np.testing.assert_array_equal(add_session.run(feeds)["z"], [1, 2, 3, 4])


def test_a_session_may_be_made_of_bytes_or_a_model(add_model, feeds, tmp_path):
    data = open(add_model, "rb").read()  # noqa: SIM115, PTH123
    for model in (data, axle.Model.load(add_model), axle.Model.from_bytes(data)):
        assert axle.Session.create(model, engine="onnxruntime", threads=1).run(feeds)["z"][3] == 4


def test_bad_models_say_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        axle.Session.create(str(tmp_path / "absent.onnx"))
    assert isinstance(caught.value, axle.NotFoundError)
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07garbage")
    with pytest.raises(axle.Error):
        axle.Session.create(tmp_path / "bad.onnx")


def test_progress_is_told_on_the_calling_thread(add_model):
    seen = []
    axle.Session.create(
        add_model, engine="openvino", verify=True, progress=lambda what, fraction: seen.append((threading.get_ident(), what))
    )
    assert seen
    assert {thread for thread, _ in seen} == {threading.get_ident()}


def test_a_progress_callback_that_raises_stops_the_work(add_model):
    def stop(what, fraction):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        axle.Session.create(add_model, engine="openvino", verify=True, progress=stop)


def test_errors_can_be_pickled(add_session):
    with pytest.raises(axle.InvalidArgumentError) as caught:
        add_session.run({})
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is axle.InvalidArgumentError
    assert (str(again), again.hint, again.code) == (str(caught.value), caught.value.hint, "INVALID_ARGUMENT")


def test_strided_arrays_are_copied_counted_and_said_once(add_model):
    session = axle.Session.create(add_model, engine="onnxruntime", threads=1)
    y = np.ones(4, np.float32)
    x = np.arange(8, dtype=np.float32)[::2]
    with pytest.warns(axle.CopyWarning, match="input 'x'"):
        np.testing.assert_array_equal(session.run({"x": x, "y": y})["z"], [1, 3, 5, 7])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.run({"x": x, "y": y})
    assert session.copies == 2
    with pytest.warns(axle.CopyWarning, match="input 'y'"):
        swapped = session.run({"x": x, "y": y.astype(">f4")})
    np.testing.assert_array_equal(swapped["z"], [1, 3, 5, 7])
    assert session.copies == 4


def test_counters_and_replicas_of_a_session(add_session, feeds):
    add_session.run(feeds)
    assert [type(counted) for counted in add_session.counters()] == [dict]
    (replica,) = add_session.replicas()
    assert (replica.failures, replica.left_out) == (0, False)


def test_a_hybrid_objective_serves_every_load(make_session):
    session = identity(make_session, TensorProto.FLOAT, [4], objective="hybrid")
    x = np.arange(4, dtype=np.float32)
    threads = [threading.Thread(target=lambda: [session.run({"x": x}) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(session.run({"x": x})["y"], x)
    if session.plan.switch_at == 0:
        assert any(note.startswith("one plan serves every load") for note in session.plan.notes)
        assert {part.load for part in session.plan.partitions} == {"any"}
    else:
        assert {replica.load for replica in session.replicas()} == {"low", "high"}


@pytest.fixture
def shaped(make_session):
    """A session that runs batches of 1 and 4 only."""
    policy = {"shapes": {"batch": [1, 4]}, "execution": {"static_shape": True, "threads": 1}}
    return identity(make_session, TensorProto.FLOAT, ["batch", 2], policy=policy)


def test_each_prepared_shape_has_an_executable(shaped):
    for batch in (1, 4, 1, 4):
        x = np.random.default_rng(batch).standard_normal((batch, 2)).astype(np.float32)
        np.testing.assert_array_equal(shaped.run({"x": x})["y"], x)
    with pytest.raises(axle.InvalidArgumentError, match="prepared"):
        shaped.run({"x": np.zeros((3, 2), np.float32)})


def test_a_binding_is_for_one_prepared_shape(shaped):
    x = np.ones((4, 2), np.float32)
    with pytest.raises(axle.FailedPreconditionError, match="make_binding"):
        shaped.make_binding()
    binding = shaped.make_binding(like={"x": x})
    binding.bind_input("x", x)
    binding.run()
    np.testing.assert_array_equal(binding.output("y"), x)


def test_a_pin_on_a_kernel_says_what_to_pin_instead(make_session):
    with pytest.raises(axle.FailedPreconditionError, match="lets no kernel be chosen by name") as refused:
        make_session(
            [helper.make_node("Exp", ["x"], ["y"])],
            [("x", TensorProto.FLOAT, [4])],
            [("y", TensorProto.FLOAT, [4])],
            policy={"pin": [{"op_types": ["Exp"], "require": {"kernel": "onednn"}}]},
        )
    assert "[[pin]] with require = { engine = " in refused.value.hint
