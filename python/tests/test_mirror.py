"""Every public name of include/axle has a counterpart in Python, or a line here that says why it has none."""

import ast
import inspect
from fnmatch import fnmatchcase

import pytest
from conftest import ROOT
from header_names import Name, names_of
from mirror_tables import C_ONLY, C_ONLY_HEADERS, ELSEWHERE, KEYWORDS, WORDS

import axle
import axle.explain
from axle import _core

INCLUDE = ROOT / "include" / "axle"


def headers():
    return [header for header in sorted(INCLUDE.glob("*.h")) if header.name not in C_ONLY_HEADERS]


NAMES = [name for header in headers() for name in names_of(header)]


def snake(enumerator: str) -> str:
    """kNotMeasured -> NOT_MEASURED."""
    text = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in enumerator.removeprefix("k"))
    return text.removeprefix("_")


def found(path: str) -> object | None:
    """What stands at axle.PATH or, of functions, at axle.explain.PATH."""
    for start in (axle, axle.explain):
        value: object | None = start
        for word in path.split("."):
            value = inspect.getattr_static(value, word, None) if inspect.isclass(value) else getattr(value, word, None)
            if value is None:
                break
        if value is not None:
            return value
    return None


def keywords_by_function() -> dict[str, set[str]]:
    """Of everything the generated stub declares: "bench_model", "Cache.open"."""
    found_in_stub = {}
    for node in ast.parse((ROOT / _core.__file__).with_name("_core.pyi").read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef):
                arguments = member.args
                found_in_stub[prefix + member.name] = {one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    return found_in_stub


STUB = keywords_by_function()


def keywords_of(path: str) -> set[str]:
    value = found(path)
    assert value is not None, f"axle.{path} is named in the tables and is not there"
    value = getattr(value, "__func__", value)
    if inspect.isfunction(value):
        return set(inspect.signature(value).parameters)
    owner, _, last = path.rpartition(".")
    names = [f"{base.__name__}.{last}" for base in found(owner).__mro__] if owner else [path]
    return next(STUB[name] for name in names if name in STUB)


def serves(name: Name) -> bool:
    """Whether Python has it, by the rule that the C++ name is the Python name, or where the tables say."""
    if name.text in ELSEWHERE:
        return True  # that it is there is a test of its own
    owner = name.owner
    if owner in KEYWORDS:
        function, renamed = KEYWORDS[owner]
        return renamed.get(name.last, name.last) in keywords_of(function)
    if owner in WORDS or name.text in WORDS or name.text in KEYWORDS:
        return True
    if name.kind in ("enumerator", "constant"):
        return found(f"{owner}.{snake(name.last)}" if owner else snake(name.last)) is not None
    if owner in ELSEWHERE:
        return found(f"{ELSEWHERE[owner]}.{name.last}") is not None
    return found(name.text.replace("::", ".")) is not None


def covers(pattern: str, name: Name) -> bool:
    """A pattern without a class is of names without one."""
    return ("::" in pattern or not name.owner) and fnmatchcase(name.text, pattern)


def reason_for(name: Name) -> str | None:
    return next((reason for pattern, reason in C_ONLY.items() if covers(pattern, name)), None)


@pytest.mark.parametrize("header", headers(), ids=lambda header: header.name)
def test_every_public_name_has_a_counterpart_or_a_reason(header):
    names = names_of(header)
    assert names, f"{header.name}: no name was read"
    missing = [f"{name.kind} {name.text}" for name in names if not serves(name) and not reason_for(name)]
    assert not missing, f"{header.name}: bind these in python/src, or say in mirror_tables.py why not: {missing}"


def test_every_line_of_the_tables_is_needed():
    texts = {name.text for name in NAMES}
    for table in (ELSEWHERE, KEYWORDS, WORDS):
        assert not set(table) - texts, "no header has these"
    for pattern in C_ONLY:
        matching = [name for name in NAMES if covers(pattern, name)]
        assert matching, f"{pattern}: no header has it"
        served = [name.text for name in matching if serves(name)]
        assert not served, f"{pattern} is said to have no counterpart and has: {served}"
    assert all((INCLUDE / header).is_file() for header in C_ONLY_HEADERS)


@pytest.mark.parametrize("path", sorted({*ELSEWHERE.values(), *WORDS.values()}))
def test_what_the_tables_point_to_is_there(path):
    assert found(path) is not None, f"axle.{path}"


def test_keywords_that_are_renamed_are_fields():
    for struct, (_, renamed) in KEYWORDS.items():
        fields = {name.last for name in NAMES if name.owner == struct}
        assert set(renamed) <= fields, struct


def test_the_reader_of_headers_sees_what_is_there(tmp_path):
    """What the other tests stand on: a name that it did not read would never be missed."""
    header = tmp_path / "x.h"
    header.write_text("""#pragma once
        #define LONG \\
          struct NotMe {};
        namespace axle {
        class Later;
        enum class Color : int { kRed = 1, kDarkBlue };  // struct NorMe;
        inline constexpr int kMost = 3, kLeast = 1;
        struct Point {
          int x = 0, y{1};
          std::map<std::string, std::vector<int>> by_name = {{"a", {1, 2}}};
          std::function<void(int)> call;
          void (*old)(Point* self) = nullptr;
          bool near(const Point& other) const noexcept { return other.x == x && y < 2; }
          friend bool operator==(const Point&, const Point&) = default;
          struct Inner { int z; };
        };
        class Thing {
         public:
          explicit Thing(int x) : x_{x}, y_(x) {}
          ~Thing();
          template <typename T> T as() const { return T(x_); }
          static Result<Thing> make(const Point& at = {1, 2});
          struct Impl;
         private:
          int x_; int hidden();
          struct Secret { int s; };
        };
        inline bool Point::near(const Point& other) const noexcept { return true; }
        namespace detail { void no(); }
        namespace part { int yes(int x); }
        [[nodiscard]] AXLE_API std::optional<Color> parse(std::string_view name) noexcept;
        using Points = std::vector<Point>;
        }  // namespace axle
    """)
    read = {f"{name.kind} {name.text}" for name in names_of(header)}
    assert read == {
        *("type Color", "enumerator Color::kRed", "enumerator Color::kDarkBlue", "constant kMost", "constant kLeast"),
        *("type Point", "field Point::x", "field Point::y", "field Point::by_name", "field Point::call", "field Point::old"),
        *("function Point::near", "type Point::Inner", "field Point::Inner::z"),
        *("type Thing", "function Thing::as", "function Thing::make"),
        *("function part::yes", "function parse", "type Points"),
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NoSuchType", "type"),
        ("no_such_function", "function"),
        ("kNoSuchConstant", "constant"),
        ("Plan::no_such_field", "field"),
        ("Plan::no_such_method", "function"),
        ("Objective::kNoSuchValue", "enumerator"),
        ("BenchOptions::no_such_option", "field"),
        ("EvidenceRow::Paired::no_such_field", "field"),
    ],
)
def test_a_name_that_nobody_bound_is_missed(text, kind):
    name = Name(text, kind, "x.h")
    assert not serves(name)
    assert reason_for(name) is None
