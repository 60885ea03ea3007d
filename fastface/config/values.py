"""Define the types of settings' values: their written form and their bounds.

`sections` and `pictures` annotate their keys with them.
"""

import re
import shlex
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from fastface.choices import Size, TimelineFormat


@dataclass(frozen=True, slots=True)
class Shown:
    """Display of a setting in help; part of the `Annotated` of a type or of one setting."""

    value: str = ""  # form of the value, as BEFORE,AFTER; empty to derive it from the type
    default: str = ""  # the default in words, if the command computes it
    is_usual: bool = False  # True if `--help` lists its option; `--help-all` lists every option


def _det_size(value: object) -> object:
    """Parse `auto` or `WxH`, sides multiples of 32."""
    if value == "auto" or isinstance(value, tuple | list):
        return value
    parts = str(value).lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError("must be auto or WIDTHxHEIGHT, as 640x384")
    return int(parts[0]), int(parts[1])


def _multiples_of_32(value: Size | Literal["auto"]) -> Size | Literal["auto"]:
    if value != "auto" and any(side % 32 or not 64 <= side <= 4096 for side in value):
        raise ValueError("must have sides that are multiples of 32 from 64 to 4096")
    return value


def _picture_size(value: object) -> object:
    """Parse `WxH`, or an empty text."""
    if value is None or isinstance(value, tuple | list):
        return value
    parts = str(value).lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{value!r} is not WIDTHxHEIGHT, as 512x768")
    return int(parts[0]), int(parts[1])


def _pair(value: object) -> object:
    """Parse `BEFORE,AFTER`, or one number for both."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, value
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    if len(parts) > 2 or not all(map(_is_number, parts)):
        raise ValueError("must be BEFORE,AFTER in seconds, as 1,10, or one number for both")
    return parts * 2 if len(parts) == 1 else parts


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _clock_time(value: object) -> object:
    """Parse `HH:MM`, or an empty text."""
    if value is None or isinstance(value, time):
        return value
    try:
        return datetime.strptime(str(value), "%H:%M").time()
    except ValueError as error:
        raise ValueError("must be a time of day, as 06:30") from error


def _to_list(value: object) -> object:
    """Parse a comma-separated list."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _to_expressions(value: object) -> object:
    """Accept one expression as a list of one: an expression may have commas."""
    return [value] if isinstance(value, str) else value


def _command_line(value: str | None) -> str | None:
    """Check that a POSIX shell would split the text into words; nothing is expanded."""
    try:
        if value is not None and not shlex.split(value):
            raise ValueError("must name a program")
    except ValueError as error:
        raise ValueError(f"must be a program with its arguments, as 'mail.sh \"the archive\"' ({error})") from error
    return value


_LARGEST_RATIO = 4
"""Maximum ratio of a crop's longer side to the shorter: a person standing with both arms up is 1:4."""


def _ratio(value: str) -> str:
    """Check `WIDTH:HEIGHT`."""
    parts = re.fullmatch(r"([0-9]{1,3}):([0-9]{1,3})", value.strip())
    if parts is None or not all(1 <= int(part) <= 100 for part in parts.groups()):
        raise ValueError("must be WIDTH:HEIGHT with both from 1 to 100, as 2:3")
    width, height = int(parts[1]), int(parts[2])
    if max(width, height) > _LARGEST_RATIO * min(width, height):
        raise ValueError(f"must be from 1:{_LARGEST_RATIO} to {_LARGEST_RATIO}:1, to frame a person")
    return f"{width}:{height}"


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must name at least one ratio, as 2:3,1:1")
    return value


def _format_names(value: object) -> object:
    """Parse `edl,srt`, `all`, `none`, or a list of such texts; return the names in the order of `TimelineFormat`."""
    parts = value if isinstance(value, list | tuple) else [value]
    names = [name.strip() for part in parts for name in str(part).split(",") if name.strip()]
    known = get_args(TimelineFormat)
    if any(name not in (*known, "all", "none") for name in names):
        raise ValueError(f"must be all, none, or some of {', '.join(known)}")
    return tuple(name for name in known if name in names or "all" in names)


def _card_numbers(value: object) -> object:
    """Parse `0,1`, or accept a list of numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    return [number for part in parts for number in (part.split(",") if isinstance(part, str) else [part])]


_MOST_SHARDS = 10_000


def _shard(value: str) -> str:
    """Check `I/N`."""
    parts = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", value.strip())
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]) <= _MOST_SHARDS:
        raise ValueError(f"must be I/N with I from 1 to N and N at most {_MOST_SHARDS}, as 2/5")
    return f"{int(parts[1])}/{int(parts[2])}"


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("must name each card once")
    return value


def _ray_address(value: str) -> str:
    """Check `auto`, `HOST:PORT` or an empty text. A Ray client (`ray://`) is refused: it loses long scans."""
    if value not in ("", "auto") and not re.fullmatch(r"[^\s/]+:[0-9]{1,5}", value):
        raise ValueError(
            "must be auto, HOST:PORT, or empty; fastface runs on a machine of the cluster, not as a Ray client (ray://)"
        )
    return value


DetSize = Annotated[
    Size | Literal["auto"], BeforeValidator(_det_size), AfterValidator(_multiples_of_32), Shown("auto|WxH")
]
_Pixels = Annotated[int, Field(ge=16, le=4096)]
PictureSize = Annotated[tuple[_Pixels, _Pixels] | None, BeforeValidator(_picture_size), Shown("WxH")]
Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False), Shown("SECONDS")]
Cards = Annotated[
    tuple[Annotated[int, Field(ge=0, le=63)], ...],
    BeforeValidator(_card_numbers),
    AfterValidator(_distinct),
    Shown("N,…"),
]
Ratios = Annotated[
    tuple[Annotated[str, AfterValidator(_ratio)], ...],
    BeforeValidator(_to_list),
    AfterValidator(_some),
    Shown("W:H,…"),
]
TimelineFormats = Annotated[tuple[TimelineFormat, ...], BeforeValidator(_format_names), Shown("LIST", default="none")]
Weight = Annotated[float, Field(ge=0, le=1000)]
Similarity = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
HashBits = Annotated[int, Field(ge=0, le=64), Shown("BITS")]
Pad = Annotated[tuple[Seconds, Seconds], BeforeValidator(_pair), Shown("BEFORE,AFTER")]
ClockTime = Annotated[time | None, BeforeValidator(_clock_time), Shown("HH:MM")]
CommandLine = Annotated[str | None, AfterValidator(_command_line), Shown("COMMAND")]
ShardText = Annotated[str, AfterValidator(_shard), Shown("I/N", default="1/1, all videos")]
Expressions = Annotated[tuple[str, ...], BeforeValidator(_to_expressions), Shown("EXPR")]
RayAddress = Annotated[str, AfterValidator(_ray_address), Shown("ADDRESS")]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_to_list), Shown("PHOTOS")]


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys refused.

    The checks of values are built when the first value is checked. Help pages and most usage errors check none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
