"""Writes docs/settings.md: default, bounds, option and meaning of each setting. Called by `make settings`."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fastface.cli import options
from fastface.config import Config

FILE = Path(__file__).parent.parent / "docs" / "settings.md"

HEAD = """# Settings

Made by `make settings` from the source. A test fails while this file is out of date.

Later entries of this list win over earlier ones:

1. the defaults below
2. `--profile NAME`: a file of the folder `configs`
3. `-c FILE.toml`: a file of yours
4. environment variables: `FASTFACE_SCAN__SAMPLE_FPS=8` sets `scan.sample_fps`
5. options and `-s section.key=value`

A TOML file has one table a section. `fastface bench` writes such a file with `--write-profile`.

```toml
[scan]
sample_fps = 8.0

[match]
not = ["photos/lookalike.jpg"]
```

An unknown key or a value out of range ends the command with exit code 2. All such faults are listed at once, each as
you typed it. The output folder remembers networks and export settings of its last run; later commands use them unless
you give others.

| profile | for |
|---|---|
| `highlights` | Moments to watch: one second before, ten after, breaks up to twelve seconds closed, no crops. |
| `faces` | Aligned faces as PNG pictures, four samples a second, no clips. |
| `dataset` | Pictures of whole bodies in 2:3, to train on, no clips. |
| `fast` | Keyframes first, 2.5 samples a second near hits. It misses short appearances. |

Pages with the reasons: [scanning](scanning.md), [matching](matching.md), [datasets](dataset.md),
[people](people.md), [curate](curate.md).
"""

_SIGNS = {"ge": "≥ {:g}", "gt": "> {:g}", "le": "≤ {:g}", "lt": "< {:g}"}
_WRITTEN = {
    "det_size": "`auto`, `WxH` (multiples of 32 from 64 to 4096)",
    "pad": "`BEFORE,AFTER`, each 0 to 86400",
    "until": "`HH:MM`",
    "ratio": "`W:H,…`, 1:4 to 4:1",
    "size": "`WxH`, sides 16 to 4096",
    "devices": "`N,…`, each 0 to 63",
    "not": "paths, `NAME=PATH`",
    "store": "file, `redis://…`",
    "dir": "folder",
    "pack": "name",
    "detector": "file, name",
    "recogniser": "file, name",
    "person_model": "file, name",
}
"""How a value is written that has no choices and no plain bounds."""

_TABLE_HEAD = "| setting | default | allowed | option | |\n|---|---|---|---|---|\n"

_BOUNDED_OPTIONAL = {"threshold", "exit_threshold", "add_threshold", "link_threshold"}
"""Similarities that may be left out: their bounds lie inside the union."""


def option_names() -> dict[tuple[str, str], str]:
    """The option of each setting that has one, by section and key."""
    groups = [getattr(options, name) for name in options.__all__ if name.isupper()]
    return {(flag.section, flag.key): flag.names[0] for group in groups for flag in group}


def rows() -> list[tuple[str, str, FieldInfo]]:
    """Section, key and field of each setting, in the order of the source."""
    found = []
    for section, outer in Config.model_fields.items():
        model = outer.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        found += [(section, field.alias or key, field) for key, field in model.model_fields.items()]
    return found


def document() -> str:
    """The file's text."""
    names = option_names()
    parts = [HEAD]
    section = ""
    for name, key, field in rows():
        if name != section:
            section = name
            model: Any = Config.model_fields[section].annotation
            summary = " ".join(model.__doc__.split("\n\n")[0].split())
            parts.append(f"\n## {section}\n\n{summary}\n\n{_TABLE_HEAD}")
        option = f"`{names[section, key]}`" if (section, key) in names else ""
        cells = (f"`{section}.{key}`", _default(field), _allowed(key, field), option, field.description or "")
        parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return "".join(parts)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(one if isinstance(one, str) else f"{one:g}" for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(key: str, field: FieldInfo) -> str:
    if field.annotation is bool:
        return "on, off"
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(field.annotation))
    if key in _WRITTEN:
        return _WRITTEN[key]
    if key in _BOUNDED_OPTIONAL:
        return "−1 to 1"
    limits = {name: float(getattr(one, name)) for one in field.metadata for name in _SIGNS if hasattr(one, name)}
    if limits.keys() == {"ge", "le"}:
        return f"{_number(limits['ge'])} to {_number(limits['le'])}"
    return ", ".join(_SIGNS[name].format(limit) for name, limit in limits.items())


def _number(value: float) -> str:
    return f"{value:.10g}".replace("-", "−")


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
