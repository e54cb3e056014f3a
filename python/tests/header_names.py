"""The public names of C++ headers: types, enumerators, constants, functions, and the public members of classes.

A reader of declarations, not of C++: comments, preprocessor lines, bodies and initialisers are skipped, and what is left is names. It
reads headers in the style of include/axle and raises where it does not understand one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(r"""[A-Za-z_]\w*|\d[\w']*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|::|->|\[\[|\]\]|<<|\S""")
PAIRS = {"(": ")", "{": "}", "[": "]", "[[": "]]"}
HIDDEN = {"detail"}
IGNORED = {"AXLE_API", "inline", "static", "constexpr", "explicit", "noexcept", "virtual", "const", "mutable"}


@dataclass(frozen=True)
class Name:
    """A name as C++ writes it, without the namespace axle: ``Cache::ls``."""

    text: str
    kind: str  # "type", "enumerator", "constant", "function" or "field"
    header: str

    @property
    def owner(self) -> str:
        """The class that it is a member of; "" = none."""
        return self.text.rpartition("::")[0]

    @property
    def last(self) -> str:
        """The name without its class."""
        return self.text.rpartition("::")[2]


def names_of(header: Path) -> list[Name]:
    """Give the public names that a header declares, in its order."""
    text = re.sub(r"/\*.*?\*/", " ", header.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", " ", text, flags=re.MULTILINE)
    text = re.sub(r"//[^\n]*", " ", text)
    reader = _Reader(TOKEN.findall(text), header.name)
    reader.scope("", public=True, class_name="")
    return list(dict.fromkeys(reader.found))


class _Reader:
    """Walks the tokens of one header."""

    def __init__(self, tokens: list[str], header: str):
        self.tokens = tokens
        self.at = 0
        self.header = header
        self.found: list[Name] = []

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def add(self, prefix: str, name: str, kind: str, public: bool) -> None:
        if public:
            self.found.append(Name(prefix + name, kind, self.header))

    def skip_pair(self) -> None:
        """Stand behind the bracket that closes the one that stands here."""
        close, depth = [PAIRS[self.next()]], 1
        while depth:
            token = self.next()
            if token == close[-1]:
                close.pop()
                depth -= 1
            elif token in PAIRS:
                close.append(PAIRS[token])
                depth += 1

    def skip_angles(self) -> None:
        depth = 0
        while True:
            token = self.peek()
            if token in PAIRS:
                self.skip_pair()
                continue
            depth += {"<": 1, ">": -1}.get(self.next(), 0)
            if depth == 0:
                return

    def skip_past(self, end: str) -> None:
        while self.peek() != end:
            if self.peek() in PAIRS:
                self.skip_pair()
            else:
                self.next()
        self.next()

    def scope(self, prefix: str, public: bool, class_name: str) -> None:
        """Read declarations up to the closing brace, or the end of the file."""
        while self.at < len(self.tokens):
            token = self.peek()
            if token == "}":
                self.next()
                return
            if token in ("public", "private", "protected") and self.tokens[self.at + 1] == ":":
                public = token == "public"
                self.at += 2
            elif token == "namespace":
                self.namespace(prefix)
            elif token == "template":
                self.next()
                self.skip_angles()
            elif token == "using":
                self.next()
                self.add(prefix, self.next(), "type", public)
                self.skip_past(";")
            elif token in ("struct", "class", "enum"):
                self.type(prefix, public)
            elif token == "friend":
                self.friend()
            elif token == ";":
                self.next()
            else:
                self.declaration(prefix, public, class_name)

    def namespace(self, prefix: str) -> None:
        self.next()
        words = []
        while self.peek() != "{":
            words.append(self.next())
        path = "".join(words).split("::")
        self.next()
        inner = "".join(f"{word}::" for word in path if word not in ("", "axle"))
        before = len(self.found)
        self.scope(prefix + inner, public=True, class_name="")
        if HIDDEN & set(path):
            del self.found[before:]

    def friend(self) -> None:
        while self.peek() not in (";", "{"):
            self.skip_pair() if self.peek() in PAIRS else self.next()
        self.skip_pair() if self.peek() == "{" else self.next()

    def type(self, prefix: str, public: bool) -> None:
        keyword = self.next()
        if keyword == "enum" and self.peek() == "class":
            self.next()
        while self.peek() == "[[" or self.peek() in IGNORED:
            self.skip_pair() if self.peek() == "[[" else self.next()
        name = self.next()
        while self.peek() not in ("{", ";"):
            self.next()
        if self.next() == ";":
            return  # declared only
        self.add(prefix, name, "type", public)
        if keyword == "enum":
            self.enumerators(f"{prefix}{name}::", public)
        else:
            before = len(self.found)
            self.scope(f"{prefix}{name}::", public=keyword == "struct", class_name=name)
            if not public:
                del self.found[before:]
        self.skip_past(";")

    def enumerators(self, prefix: str, public: bool) -> None:
        while self.peek() != "}":
            self.add(prefix, self.next(), "enumerator", public)
            while self.peek() not in (",", "}"):
                self.skip_pair() if self.peek() in PAIRS else self.next()
            if self.peek() == ",":
                self.next()
        self.next()

    def declaration(self, prefix: str, public: bool, class_name: str) -> None:
        """A function, or one or more variables."""
        head: list[str] = []
        while self.peek() not in (";", "(", "=", "{", ","):
            if self.peek() == "[[":
                self.skip_pair()
            elif self.peek() == "<" and head and head[-1] != "operator":
                self.skip_angles()
            elif self.peek() == "":
                raise ValueError(f"{self.header}: a declaration without an end: {' '.join(head)}")
            else:
                head.append(self.next())
        if "operator" in head:
            self.rest_of_function()
            return
        name = next((word for word in reversed(head) if re.fullmatch(r"[A-Za-z_]\w*", word)), "")
        if self.peek() == "(" and self.tokens[self.at + 1] == "*":
            self.add(prefix, self.tokens[self.at + 2], "field", public)  # a pointer to a function
            self.skip_past(";")
            return
        if self.peek() == "(":
            if name != class_name and "::" not in head[-2:]:  # else a constructor, or a body that stands below its class
                self.add(prefix, name, "function", public)
            self.rest_of_function()
            return
        kind = "field" if class_name else "constant"
        self.add(prefix, name, kind, public)
        for other in self.rest_of_variables():
            self.add(prefix, other, kind, public)

    def rest_of_function(self) -> None:
        """Behind the body or the semicolon; a constructor's initialisers stand between."""
        initialising = False
        while True:
            token = self.peek()
            if token == ";":
                self.next()
                return
            if token == ":":
                initialising = True
            if token == "{" and not (initialising and re.fullmatch(r"\w+", self.tokens[self.at - 1])):
                self.skip_pair()
                return
            self.skip_pair() if token in PAIRS else self.next()

    def rest_of_variables(self) -> Iterator[str]:
        while True:
            token = self.next() if self.peek() not in PAIRS else self.peek()
            if token == ";":
                return
            if token in PAIRS:
                self.skip_pair()
            elif token == ",":
                while self.peek() in ("*", "&"):
                    self.next()
                yield self.next()
