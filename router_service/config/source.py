"""Reads a YAML file into plain values, and remembers the line that each of them came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import Reader

from router_service.config.problem import ConfigError, Loc, Problem, path_of
from router_service.files import read_file

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 200_000
"""Counted after aliases are expanded, so that a few nested ones cannot fill the memory."""

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"


class Place(NamedTuple):
    """Where a value stands: the file, the line in it, and its path there."""

    file: str
    line: int
    loc: Loc

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file's content, or that of one laid over another: then each value knows which of them it is from.

    `problems` are those of the YAML which leave the rest of it readable.
    """

    file: str
    data: Value
    places: Mapping[Loc, Place]
    problems: tuple[Problem, ...] = ()

    def place_of(self, loc: Loc) -> Place:
        """Where `loc` stands; the line is that of the nearest thing around it which exists."""
        near = loc
        while near and near not in self.places:
            near = near[:-1]
        found = self.places.get(near, Place(self.file, 1, near))
        return found._replace(loc=found.loc + loc[len(near) :])

    def problem(self, loc: Loc, message: str, hint: str) -> Problem:
        place = self.place_of(loc)
        return Problem(file=place.file, line=place.line, path=path_of(place.loc), message=message, hint=hint)

    def warning(self, loc: Loc, message: str, hint: str = "") -> str:
        """A line that tells of something at `loc` which is no mistake."""
        return str(self.problem(loc, message, hint))


def read(path: Path) -> bytes:
    """The file's bytes. Raises ConfigError where it cannot be read; one byte over the limit is enough to know."""
    try:
        return read_file(path, most_bytes=MAX_BYTES + 1)
    except OSError as e:
        reason = e.strerror or type(e).__name__
        reason = f"{reason[:1].lower()}{reason[1:]}"
        raise _whole_file(
            str(path), f"cannot be read: {reason}", "name a file with --config or $SIGNALBOX_CONFIG"
        ) from e
    except ValueError as e:
        raise _whole_file("(configuration)", "the file's name holds a NUL", "name another file") from e


def parse(content: bytes, *, file: str) -> Source:
    """Read YAML. Raises ConfigError where there is no tree of values to go on with."""
    text = _decode(content, file)
    try:
        _check_depth(text, file)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as e:
        raise ConfigError([_syntax_problem(e, file)]) from None
    except yaml.YAMLError as e:
        raise _whole_file(file, "is not YAML", "") from e
    if root is None:
        raise _whole_file(file, "the file is empty", "begin with `version: 1` and a list of `providers:`")
    walk = _Walk(file)
    data = walk.value(root, (), 0)
    return Source(file=file, data=data, places=walk.places, problems=tuple(walk.problems))


# The parser in C is six times as fast, which counts for a catalogue of thousands of targets; both give the same tree.
_LOADER = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _decode(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise _whole_file(
            file, "the file is larger than 1 MiB", "a configuration of that size is probably another file"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise _at_line(file, line, "the file is not UTF-8", "save it with the encoding UTF-8") from None
    if control := Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise _at_line(file, line, "the line holds a control character", "remove it, or write it as an escape")
    return text


def _check_depth(text: str, file: str) -> None:
    """Refuse deep nesting before the composer, which recurses, meets it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _too_deep(file, event.start_mark.line + 1 if event.start_mark else 0)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    # What the parser quotes may be part of a value; token names, which it puts in angle brackets, may stay.
    what = re.sub(r"""\s*(['"])(?!<)[^'"]{2,}\1""", "", error.problem or "is not YAML")
    hint = "indent with spaces, and put text with `: ` or ` #` in quotes"
    return Problem(file=file, line=mark.line + 1 if mark else 0, path="", message=f"not YAML: {what}", hint=hint)


class _Walk:
    """Turns nodes into values, and collects lines and mistakes on the way."""

    __slots__ = ("_constructor", "_count", "_file", "places", "problems")

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self._constructor = SafeConstructor()
        self.places: dict[Loc, Place] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, loc: Loc, depth: int) -> Value:
        line = node.start_mark.line + 1
        self.places.setdefault(loc, Place(self._file, line, loc))
        self._count += 1
        if self._count > MAX_VALUES:
            hint = f"at most {MAX_VALUES} values, those behind each alias counted"
            raise _at_line(self._file, line, "the file stands for too many values", hint)
        if depth > MAX_DEPTH:
            raise _too_deep(self._file, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc, depth)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq", loc)
            return [self.value(item, (*loc, i), depth + 1) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode), "YAML has three kinds of node"
        return self._scalar(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc, depth: int) -> dict[str, Value]:
        self._check_tag(node, "map", loc)
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(loc, line, "a key must be plain text", "write `key: value`")
                continue
            key = str(key_node.value)
            at = (*loc, key)
            if key in values:
                self._note(
                    at, line, "stands here a second time", f"the first is in line {self.places[at].line}; keep one"
                )
                continue
            self.places.setdefault(at, Place(self._file, line, at))
            values[key] = self.value(value_node, at, depth + 1)
        return values

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Value:
        text = str(node.value)
        try:
            match node.tag.removeprefix(_STANDARD):
                case "null":
                    return None
                case "bool":
                    return bool(self._constructor.construct_yaml_bool(node))
                case "int":
                    return int(self._constructor.construct_yaml_int(node))
                case "float":
                    return float(self._constructor.construct_yaml_float(node))
                case "str" | "timestamp" | "value" | "merge":
                    return text
                case _:
                    self._note(loc, node.start_mark.line + 1, "carries a tag", "remove what begins with `!`")
        except (ValueError, KeyError, IndexError, OverflowError):
            self._note(loc, node.start_mark.line + 1, "cannot be read as its type", "put it in quotes if it is text")
        return None

    def _check_tag(self, node: yaml.Node, name: str, loc: Loc) -> None:
        if node.tag != _STANDARD + name:
            self._note(loc, node.start_mark.line + 1, "carries a tag", "remove what begins with `!`")

    def _note(self, loc: Loc, line: int, message: str, hint: str) -> None:
        self.problems.append(Problem(file=self._file, line=line, path=path_of(loc), message=message, hint=hint))


_STANDARD = "tag:yaml.org,2002:"


def _too_deep(file: str, line: int) -> ConfigError:
    return _at_line(file, line, f"values are nested more than {MAX_DEPTH} deep", "an alias may not hold itself")


def _whole_file(file: str, message: str, hint: str) -> ConfigError:
    return _at_line(file, 0, message, hint)


def _at_line(file: str, line: int, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(file=file, line=line, path="", message=message, hint=hint)])
