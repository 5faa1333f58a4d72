"""YAML with the line of every value, duplicate keys found, and the words of YAML 1.2 (`no` is a text, 1e-3 a number).

Belongs here: reading YAML and laying one document over another. Does not: what the values may be (monitor_files.py).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

Path = tuple[str | int, ...]
_MOST_PLACES = 100_000


class Place(NamedTuple):
    """Where something was said; `line` counts from 1."""

    file: str
    line: int | None


class Fault(NamedTuple):
    """Something that is not even good YAML; an empty path means that the file could not be read at all."""

    path: Path
    line: int | None
    what: str


@dataclass(frozen=True)
class Document:
    """One or more YAML files laid over each other: the data, and where each part of it was said."""

    file: str
    data: Any = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return FilePath(self.file).stem

    def has(self, path: Path) -> bool:
        """Tell whether something was said at `path`."""
        return path in self.places

    def place(self, path: Path) -> Place:
        """Return where `path`, or the nearest thing around it, was said."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file, None))

    def value(self, path: Path) -> Any:
        """Return what was said at `path`."""
        found = self.data
        for step in path:
            found = found[step]
        return found

    def leaves(self) -> Iterator[tuple[Path, Any]]:
        """Yield every path that holds a single value, and the value."""
        yield from _leaves((), self.data)

    def over(self, base: "Document") -> "Document":
        """Return this document laid over `base`: mappings merge, everything else replaces."""
        own = {p: q for p, q in self.places.items() if p}
        kept = {p: q for p, q in base.places.items() if p and not _is_replaced(p, self)}
        return Document(self.file, _merged(base.data, self.data), {(): self.place(()), **kept, **own}, self.faults)

    def without(self, key: str) -> "Document":
        """Return the document as if `key` had not been said."""
        data = {k: v for k, v in self.data.items() if k != key}
        return Document(self.file, data, {p: q for p, q in self.places.items() if p[:1] != (key,)}, self.faults)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the booleans and numbers of YAML 1.2: no `yes`, `on`, `12:30`."""

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        """Return a day or moment; one that no calendar has is a mistake of its line."""
        try:
            return super().construct_yaml_timestamp(node)
        except (ValueError, OverflowError) as error:
            raise ConstructorError(None, None, f"{node.value} is no day of the calendar ({error})", node.start_mark) from error


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag.rpartition(":")[2] not in {"bool", "int", "float"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+.0123456789"),
)


def read_yaml(path: FilePath, name: str) -> Document:
    """Return the file as a document; what is wrong with it is among its faults."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError:
        return Document(name, faults=[Fault((), None, "is not text in UTF-8")])
    except OSError as error:
        return Document(name, faults=[Fault((), None, f"cannot be read ({error.strerror})")])


def parse_yaml(text: str, name: str) -> Document:
    """Return a text as a document; what is wrong with it is among its faults."""
    try:
        data, places, faults = _understood(text, name)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Document(name, faults=[_fault(error, text)])
    if not isinstance(data, dict):
        what = "is a list" if isinstance(data, list) else "is a single value"
        return Document(name, faults=[Fault((), 1, f"{what}, and should hold `key: value` lines")])
    return Document(name, data, places, faults)


def _understood(text: str, name: str) -> tuple[Any, dict[Path, Place], list[Fault]]:
    places: dict[Path, Place] = {(): Place(name, None)}
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return {}, places, []
        faults = list(_walk(root, (), name, places))
        return loader.construct_document(root), places, faults
    finally:
        loader.dispose()


def _fault(error: Exception, text: str) -> Fault:
    if isinstance(error, RecursionError):
        return Fault((), None, "is not good YAML, its parts lie too deep in each other")
    if isinstance(error, ReaderError):
        return Fault((), text.count("\n", 0, error.position) + 1, f"is not good YAML, it holds the character {ord(text[error.position]):#04x}")
    if isinstance(error, yaml.MarkedYAMLError):
        return Fault((), error.problem_mark.line + 1 if error.problem_mark else None, f"is not good YAML, {error.problem or error}")
    return Fault((), None, f"is not good YAML, {error}")


def _walk(node: yaml.Node, path: Path, name: str, places: dict[Path, Place], around: tuple[yaml.Node, ...] = ()) -> Iterator[Fault]:
    """Note where everything was said; an alias may say it again, but never within itself, nor so often that no end is in sight."""
    if any(node is outer for outer in around):
        raise ConstructorError(None, None, "a part of it holds itself", node.start_mark)
    if len(places) > _MOST_PLACES:
        raise ConstructorError(None, None, f"it says more than {_MOST_PLACES:,} things", node.start_mark)
    around = (*around, node)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[*path, index] = Place(name, item.start_mark.line + 1)
            yield from _walk(item, (*path, index), name, places, around)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                yield Fault((*path, key.value), line, f"'{key.value}' is said twice; the first is in line {seen[key.value]}")
            seen.setdefault(key.value, line)
            places[*path, key.value] = Place(name, line)
            yield from _walk(item, (*path, key.value), name, places, around)


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves((*path, index), item)
    else:
        yield path, value


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{k: _merged(base[k], v) if k in base else v for k, v in over.items()}}
    return over


def _is_replaced(path: Path, over: Document) -> bool:
    """Tell whether something in `over` stands where `path` stood."""
    here = over.data
    for step in path:
        if not isinstance(here, Mapping):
            return True
        if step not in here:
            return False
        here = here[step]
    return False
