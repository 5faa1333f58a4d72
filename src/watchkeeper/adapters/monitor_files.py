"""YAML files read with line numbers, laid over their defaults, and turned into monitors or into all their mistakes at once.

Belongs here: what a mistake is, where it is, and the nearest valid word. Does not: which files there are (workspace.py),
the YAML itself (yaml_lines.py), or what may be said (monitor.py).
"""

import copy
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from watchkeeper.adapters.contradictions import contradictions
from watchkeeper.adapters.yaml_lines import Document, Path
from watchkeeper.errors import ConfigurationError
from watchkeeper.monitor import Monitor

Model = TypeVar("Model", bound=BaseModel)
_SECRET_KEY = re.compile(r"(^|_)(token|passwords?|passwd|secrets?|api_?key|access_key|private_key|credentials?)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"xox[a-z]-|xapp-|hooks\.slack\.com/services/|AKIA[0-9A-Z]{12}|://[^/\s:@]+:[^/\s@]+@|[?&](token|key|secret|sig|signature)=", re.IGNORECASE
)
_KEPT_IN_PREFECT = re.compile(r"\{\{ *prefect\.blocks\.[\w.-]+ *\}\}")  # the name of a secret, which Prefect looks up


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file; `model` is the model the file describes, as far as it could be read."""

    file: str
    line: int | None
    what: str
    hint: str = ""
    model: str = field(default="", compare=False)

    def __str__(self) -> str:
        """One sentence: file, mistake, line, nearest valid word."""
        place = "" if self.line is None else f" (line {self.line})"
        hint = f": {self.hint}" if self.hint else ""
        return f"{self.file}: {self.what}{place}{hint}"


def sorted_once(problems: Iterable[Problem]) -> list[Problem]:
    """Return each mistake once, by file and line."""
    return sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line or 0))


def mistakes(problems: Sequence[Problem]) -> ConfigurationError:
    """Return one error that holds all mistakes."""
    if len(problems) == 1:
        return ConfigurationError(str(problems[0]))
    return ConfigurationError("\n".join([f"{len(problems)} mistakes:", *(f"  {p}" for p in problems)]))


def understand(kind: type[Model], document: Document) -> tuple[Model | None, list[Problem]]:
    """Return what a document says as `kind`, or None and every mistake in it."""
    found = [*_syntax(document), *_secrets(document)]
    if any(path == () for path, _, _ in document.faults):
        return None, found
    secret_places = {(p.file, p.line) for p in found}
    try:
        said = kind.model_validate(document.data)
    except ValidationError as error:
        others = [_explain(kind, document, mistake) for mistake in error.errors(include_url=False, include_input=False)]
        others += _contradictions(beside_unknown_keys(kind, document), document)
        return None, sorted_once([*found, *(p for p in others if (p.file, p.line) not in secret_places)])
    found = sorted_once([*found, *_contradictions(said, document)])
    return (None, found) if found else (said, [])


def _contradictions(said: BaseModel | None, document: Document) -> list[Problem]:
    if not isinstance(said, Monitor):
        return []
    found = contradictions(said)
    return [_problem(document, c.path, c.what, nearest(str(document.value(c.path)), c.valid) if c.valid else c.hint) for c in found]


def beside_unknown_keys(kind: type[Model], document: Document) -> Model | None:
    """Return what a document says as `kind` once the keys that it does not know are left out, None where more is wrong."""
    data = copy.deepcopy(document.data)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    for mistake in found:
        if mistake["type"] == "extra_forbidden":
            _leave_out(data, tuple(mistake["loc"]))
    try:
        return kind.model_validate(data)
    except ValidationError:
        return None


def _leave_out(data: Any, path: Path) -> None:
    with suppress(KeyError, IndexError, TypeError, AttributeError):  # where a choice of kinds is in the path
        for step in path[:-1]:
            data = data[step]
        data.pop(path[-1])


_PLAIN = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping, such as {{a: b}}",
    "model_type": "must hold keys of its own",
    "date_type": "must be a day, such as 2025-01-31",
    "date_parsing": "must be a day, such as 2025-01-31",
    "date_from_datetime_parsing": "must be a day, such as 2025-01-31",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}
"""What a mistake is called, by the name that pydantic gives it; other mistakes have words of their own."""


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return a hint that names the valid word nearest to `word`, or all of them when none is near.

    >>> nearest("segmnts", ["segments", "targets"])
    "did you mean 'segments'?"
    """
    words = sorted(set(valid))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"valid here: {', '.join(words)}" if words else ""


def _syntax(document: Document) -> list[Problem]:
    return [_problem(document, path, what, line=line) for path, line, what in document.faults]


def _secrets(document: Document) -> list[Problem]:
    return [
        _problem(
            document,
            path,
            f"'{path[-1] if path else path}' looks like a secret",
            "secrets come from the environment, or in prefect.yaml from Prefect's blocks, never from a file; see `watchkeeper doctor`",
        )
        for path, value in document.leaves()
        if _is_secret(path, value)
    ]


def _is_secret(path: Path, value: Any) -> bool:
    if not isinstance(value, str) or not path or _KEPT_IN_PREFECT.fullmatch(value):
        return False
    return bool(_SECRET_KEY.search(str(path[-1])) or _SECRET_VALUE.search(value))


def _problem(document: Document, path: Path, what: str, hint: str = "", *, line: int | None = None) -> Problem:
    place = document.place(path)
    model = document.data.get("model") if isinstance(document.data, Mapping) else None
    return Problem(place.file, line or place.line, what, hint, str(model or document.stem))


def _explain(kind: type[BaseModel], document: Document, mistake: Mapping[str, Any]) -> Problem:
    path: Path = tuple(mistake["loc"])
    name = ".".join(str(step) for step in path if document.has(path[: path.index(step) + 1]) or step == path[-1])
    if mistake["type"] == "extra_forbidden":
        return _problem(document, path, f"unknown key '{path[-1]}'", nearest(str(path[-1]), _keys(kind, path[:-1])))
    if mistake["type"] == "missing":
        return _problem(document, path, f"'{name}' is missing")
    if mistake["type"] == "literal_error":
        value = document.value(path)
        return _problem(document, path, f"unknown {name} '{value}'", nearest(str(value), re.findall(r"'([^']+)'", mistake["ctx"]["expected"])))
    text = _PLAIN.get(mistake["type"], "").format(**mistake.get("ctx", {})) or str(mistake["msg"]).removeprefix("Value error, ")
    return _problem(document, path, f"{name}: {text}" if name else text)


def _keys(kind: type[BaseModel], path: Path) -> list[str]:
    """Return the keys valid at `path` of `kind`."""
    here: type[BaseModel] | None = kind
    is_name = False
    for step in path:
        if here is None or isinstance(step, int) or is_name:
            is_name = False
            continue
        annotation = next((f.annotation for n, f in here.model_fields.items() if step in (n, f.alias)), None)
        here, is_name = _model_in(annotation), get_origin(annotation) is dict
    return [] if here is None else [f.alias or n for n, f in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
