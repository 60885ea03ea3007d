"""Describe faults of settings in plain words: the setting, the allowed values, the given value, and its origin.

`load` calls it for every fault that pydantic reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

_WORDS = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "string_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} parts",
    "too_long": "must have at most {max_length} parts",
    "missing": "is incomplete: a value is missing",
    "model_type": "must be a section of settings",
    "model_attributes_type": "must be a section of settings",
}
"""Texts by pydantic's error types; other types keep pydantic's text."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Place where the user wrote a setting."""

    typed: str = ""  # as typed: `--threshold 1.5`, `-s scan.batch=99`, `FASTFACE_SCAN__BATCH=99`
    file: str = ""  # the settings file


def suggestion(wrong: str, known: Sequence[str], prefix: str = "") -> str:
    """Return `; did you mean …?` if a known name is similar, after a common prefix; else empty."""
    near = get_close_matches(wrong, known, n=1)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def fault_line(detail: Mapping[str, Any], origin: Origin, known: Mapping[str, Sequence[str]]) -> str:
    """Return one line for one fault of pydantic's: the key, the problem, the given value.

    Args:
        detail: One of `ValidationError.errors()`.
        origin: Place where the user wrote the setting.
        known: {section: its keys}.
    """
    # Union members appear in `loc` as type names; the user wrote only keys.
    keys = [str(part) for part in detail["loc"] if isinstance(part, int) or str(part).replace("_", "").isalnum()]
    reason = _unknown(detail["loc"], known) if detail["type"] == "extra_forbidden" else _reason(detail)
    if origin.typed:
        return f"{origin.typed}: {reason}"
    is_value = len(detail["loc"]) > 1 and detail["type"] != "extra_forbidden"
    facts = [f"given: {detail['input']!r}"] if is_value else []
    facts += [f"in {origin.file}"] if origin.file else []
    where = ".".join(keys)
    return f"{where}: {reason} ({', '.join(facts)})" if facts else f"{where}: {reason}"


def _unknown(location: Sequence[object], known: Mapping[str, Sequence[str]]) -> str:
    """Describe an unknown setting, with the most similar name or all names."""
    section, *rest = map(str, location)
    if not rest:
        return f"unknown section of settings{suggestion(section, list(known)) or '; there are: ' + ', '.join(known)}"
    every = [f"{name}.{key}" for name, keys in known.items() for key in keys]
    near = suggestion(f"{section}.{rest[0]}", every)
    return f"unknown setting{near or f'; {section} has: ' + ', '.join(known.get(section, ()))}"


def _reason(detail: Mapping[str, Any]) -> str:
    words = _WORDS.get(detail["type"])
    if words is not None:
        return words.format(**detail.get("ctx", {})).replace("'", "")
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}"
