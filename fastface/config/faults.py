"""Faults of settings in words of our own: which setting, what is allowed, what was given."""

from collections.abc import Mapping
from typing import Any

__all__ = ["fault_line"]

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
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} parts",
    "too_long": "must have at most {max_length} parts",
    "missing": "has a part too few",
    "model_type": "must be a section of settings",
    "model_attributes_type": "must be a section of settings",
}
"""By the types of errors that pydantic has; what is not among them reads as pydantic has it."""


def fault_line(detail: Mapping[str, Any]) -> str:
    """One line for one fault of pydantic's: the key, what is wrong, the value that was given."""
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(map(str, detail['loc']))}: unknown setting"
    # Union members appear in `loc` as type names; keys are what the user wrote.
    keys = [str(part) for part in detail["loc"] if isinstance(part, int) or str(part).replace("_", "").isalnum()]
    return f"{'.'.join(keys)}: {_reason(detail)} (given: {detail['input']!r})"


def _reason(detail: Mapping[str, Any]) -> str:
    words = _WORDS.get(detail["type"])
    if words is not None:
        return words.format(**detail.get("ctx", {}))
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}"
