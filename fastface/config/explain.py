"""Describe the settings: form of a value, default and bounds, as help shows them.

The texts come from the models in `sections` and `pictures`. `make settings` stores them for `setting_help`, which the
command line reads.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from fastface.config.load import Config
from fastface.config.values import Section, Shown
from fastface.setting_help import SettingHelp, format_value

_SIGNS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def describe_settings() -> Iterator[SettingHelp]:
    """Yield the help of all settings, by section."""
    for section in Config.model_fields:
        for name, field in _find_section(section).model_fields.items():
            yield _describe_setting(section, field.alias or name)


def _describe_setting(section: str, key: str) -> SettingHelp:
    model = _find_section(section)
    field = next(field for name, field in model.model_fields.items() if (field.alias or name) == key)
    kind = next(kind for kind in _list_members(field.annotation) if kind is not NoneType)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    shown = [one for one in field.metadata if isinstance(one, Shown)]
    value = next((one.value for one in shown if one.value), "") or "|".join(choices) or _name_type(kind)
    default = next((one.default for one in shown if one.default), "") or format_value(field.default)
    return SettingHelp(
        section=section,
        key=key,
        topic=f"{(model.__doc__ or section).partition('.')[0]} ({section})",
        value=value,
        choices=choices,
        default=default,
        text=field.description or "",
        bounds=_format_bounds(field),
        kind="switch" if kind is bool else "list" if field.default == () else "value",
        is_usual=any(one.is_usual for one in shown),
    )


def _find_section(name: str) -> type[Section]:
    model = Config.model_fields[name].annotation
    assert isinstance(model, type)
    assert issubclass(model, Section)
    return model


def _list_members(annotation: Any) -> tuple[Any, ...]:
    """Return the types of a union, else the type itself."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _name_type(kind: Any) -> str:
    """Name the kind of a value by its type."""
    return {bool: "on|off", int: "N", float: "NUMBER"}[getattr(kind, "__origin__", kind)]


def _format_bounds(field: FieldInfo) -> str:
    """Format the allowed range as a sentence; empty if there is none."""
    members = [one for member in _list_members(field.annotation) for one in getattr(member, "__metadata__", ())]
    metadata = [*field.metadata, *(one for member in members for one in getattr(member, "metadata", ()))]
    limits = {name: getattr(one, name) for one in metadata for name in _SIGNS if hasattr(one, name)}
    if limits.keys() == {"ge", "le"}:
        return f"From {limits['ge']} to {limits['le']}."
    words = " and ".join(f"{_SIGNS[name]} {limit:g}" for name, limit in limits.items())
    return f"{words.capitalize()}." if words else ""
