"""The settings: one model a section, each key with its default, its bounds and its help in one place.

The command line takes its option ranges and help from here, and so does every error message. Order of precedence:
defaults < profile < file < environment (`FASTFACE_SECTION__KEY`) < flags.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fastface.errors import ConfigError
from fastface.types import DecoderName, Sampling, Size

__all__ = [
    "Config",
    "ExportConfig",
    "MatchConfig",
    "ModelsConfig",
    "RunConfig",
    "ScanConfig",
    "SpansConfig",
    "load_config",
    "profiles_folder",
]


def _det_size(value: object) -> object:
    """`auto` or `WxH`, sides multiples of 32."""
    if value == "auto" or isinstance(value, tuple | list):
        return value
    parts = str(value).lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{value!r} is neither auto nor WIDTHxHEIGHT, as 640x384")
    return int(parts[0]), int(parts[1])


def _multiples_of_32(value: Size | Literal["auto"]) -> Size | Literal["auto"]:
    if value != "auto" and any(side % 32 or not 64 <= side <= 4096 for side in value):
        raise ValueError(f"{value[0]}x{value[1]}: both sides must be multiples of 32 from 64 to 4096")
    return value


def _pair(value: object) -> object:
    """`BEFORE,AFTER`, or one number for both."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, value
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    return parts * 2 if len(parts) == 1 else parts


def _clock_time(value: object) -> object:
    """`HH:MM`, or nothing."""
    if value is None or isinstance(value, time):
        return value
    try:
        return datetime.strptime(str(value), "%H:%M").time()
    except ValueError as error:
        raise ValueError(f"{value!r} is no time of day, as 06:30") from error


def _listed(value: object) -> object:
    """A comma-separated list."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _card_numbers(value: object) -> object:
    """`0,1`, or a list of such."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    return [number for part in parts for number in (part.split(",") if isinstance(part, str) else [part])]


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("a card is named twice")
    return value


DetSize = Annotated[Size | Literal["auto"], BeforeValidator(_det_size), AfterValidator(_multiples_of_32)]
Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
Cards = Annotated[
    tuple[Annotated[int, Field(ge=0, le=63)], ...], BeforeValidator(_card_numbers), AfterValidator(_distinct)
]
Similarity = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class Section(BaseModel):
    """What all sections share: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ScanConfig(Section):
    """Which frames are looked at, and by how many processes."""

    sample_fps: float = Field(5.0, ge=0.001, le=240, description="Frames looked at in a second of video.")
    every_frame: bool = Field(False, description="Look at every frame; sample_fps is ignored.")
    keyframes: bool = Field(
        False, description="Look at keyframes first, and at sample_fps only where a target nearly is: fast, may miss."
    )
    det_size: DetSize = Field(
        "auto", description="Detector canvas: auto (640 on the long side, the video's aspect) or WxH."
    )
    det_threshold: float = Field(0.5, gt=0, lt=1, description="Smallest detector score of a face.")
    min_face: int = Field(16, ge=1, le=4096, description="Smallest width and height of a face, in pixels of the video.")
    decoder: DecoderName = Field(
        "pyav", description="What decodes: pyav, nvdec (a card; PyAV what it cannot), auto (nvdec if installed)."
    )
    batch: int = Field(0, ge=0, le=64, description="Frames a batch; 0 chooses for the device.")
    decoders: int = Field(0, ge=0, le=64, description="Decoder processes; 0 chooses for the machine.")
    workers: int = Field(0, ge=0, le=64, description="Inference processes; 0 chooses for the machine.")
    ring_mb: int = Field(0, ge=0, le=262144, description="Shared memory for frames in MiB; 0 chooses.")
    unit_seconds: float = Field(60.0, ge=1, le=86400, description="Length of the stretches that are decoded apart.")
    max_pixels: int = Field(100_000_000, ge=1, description="Largest frame that is decoded, in pixels.")

    @property
    def sampling(self) -> Sampling:
        """The sampling that the two keys ask for; the period is exact for rates of up to three decimals."""
        if self.every_frame:
            return Sampling(None)
        return Sampling(1 / Fraction(self.sample_fps).limit_denominator(1000), self.keyframes)

    @model_validator(mode="after")
    def _one_sampling(self) -> Self:
        if self.every_frame and self.keyframes:
            raise ValueError("every_frame and keyframes exclude each other")
        return self


class MatchConfig(Section):
    """When a face is a target's."""

    threshold: Similarity | None = Field(None, description="Smallest cosine that opens a hit; default: the model's.")
    exit_threshold: Similarity | None = Field(
        None, description="Smallest cosine that holds a track; default: the model's, or 0.05 below a given threshold."
    )
    margin: float = Field(0.05, ge=0, le=2, description="Least lead over every other target and lookalike.")
    allow_faults: bool = Field(
        False, description="Go on although a target has no usable photo, or two targets have the same face."
    )
    lookalikes: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = Field(
        (), alias="not", description="Photos or banks of persons that a target must not be taken for."
    )


class SpansConfig(Section):
    """How hits become spans."""

    pad: Annotated[tuple[Seconds, Seconds], BeforeValidator(_pair)] = Field(
        (1.0, 1.0), description="Seconds added BEFORE,AFTER each span."
    )
    merge_gap: Seconds = Field(2.0, description="Hits closer than this many seconds join.")
    min_span: Seconds = Field(0.0, description="Spans shorter than this before padding are dropped.")
    exact: bool = Field(False, description="Find the boundaries to the frame.")


class ExportConfig(Section):
    """What is made of the spans."""

    clips: Literal["none", "copy", "precise"] = Field(
        "copy", description="Clips: none, copy (no re-encoding), precise."
    )
    crops: Literal["none", "face", "aligned"] = Field("face", description="Crops of the targets: none, face, aligned.")
    crop_size: int = Field(256, ge=32, le=1024, description="Side of an aligned crop in pixels.")
    crop_margin: float = Field(0.3, ge=0, le=3, description="Room around a face, as a share of its size.")
    crop_format: Literal["jpg", "png"] = Field("jpg", description="File format of crops and snapshots.")
    crop_gap: Seconds = Field(1.0, description="At most one crop of a target in this many seconds.")
    snapshots: bool = Field(False, description="Also save the whole frame of each span's best moment.")
    boxes: bool = Field(True, description="Draw a box, name and similarity for each hit into snapshots.")


class RunConfig(Section):
    """How the run as a whole behaves."""

    fresh: bool = Field(False, description="Start over: forget all that the output folder holds.")
    until: Annotated[time | None, BeforeValidator(_clock_time)] = Field(
        None, description="Stop at this time of day, as 06:30; the same command goes on with it."
    )
    max_hours: float | None = Field(None, gt=0, le=8784, description="Stop after so many hours; likewise.")

    def seconds_left(self, now: datetime | None = None) -> float | None:
        """Seconds that a run that begins now may last; None where it is given no end.

        Args:
            now: The time, without a zone: it is the machine's own; default: now.
        """
        limits = [] if self.max_hours is None else [self.max_hours * 3600]
        if self.until is not None:
            now = (now or datetime.now()).astimezone()
            # The zone's offset is that of the end, which is another one in the nights when clocks change.
            ends = (datetime.combine(now.date() + timedelta(days), self.until).astimezone() for days in (0, 1, 2))
            limits.append(next((end - now).total_seconds() for end in ends if end > now))
        return min(limits, default=None)


class ModelsConfig(Section):
    """Which networks, on which device."""

    folder: Path | None = Field(None, alias="dir", description="Folder of packs, or one pack.")
    pack: str | None = Field(None, description="The pack; default: the best known one that is there.")
    detector: str | None = Field(None, description="Detector file or name instead of the pack's.")
    recogniser: str | None = Field(None, description="Recogniser file or name instead of the pack's.")
    device: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = Field(
        "auto", description="What runs the networks."
    )
    devices: Cards = Field((), description="Numbers of the NVIDIA cards that workers are dealt to, as 0,1; default: 0.")


class Config(Section):
    """All settings of a run."""

    scan: ScanConfig = Field(default_factory=ScanConfig)
    match: MatchConfig = Field(default_factory=MatchConfig)
    spans: SpansConfig = Field(default_factory=SpansConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)
    run: RunConfig = Field(default_factory=RunConfig)
    models: ModelsConfig = Field(default_factory=ModelsConfig)


def profiles_folder() -> Path:
    """Where the profiles lie: in the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def load_config(
    *,
    profile: str | None = None,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, Mapping[str, object]] | None = None,
) -> Config:
    """The settings in force.

    Args:
        profile: Name of a file of `configs/`, without its suffix.
        file: A TOML file of the user.
        environment: Where `FASTFACE_SECTION__KEY` and `FASTFACE_MODELS` are looked up.
        flags: {section: {key: value}} of the command line; values may be text.

    Raises:
        ConfigError: Lists every unknown key and every value out of range, each with where it came from.
    """
    layers: list[Mapping[str, Any]] = [_environment_layer(environment), flags or {}]
    if file is not None:
        layers.insert(0, _toml_layer(file))
    if profile is not None:
        layers.insert(0, _toml_layer(_profile_path(profile)))
    merged: dict[str, Any] = {}
    for layer in layers:
        for section, keys in layer.items():
            known = merged.get(section, {})
            # What is no section is kept as it is, for the validation to name.
            both = isinstance(keys, Mapping) and isinstance(known, Mapping)
            merged[section] = {**known, **keys} if both else known if isinstance(keys, Mapping) else keys
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError([_fault(detail) for detail in error.errors()]) from error


def _profile_path(profile: str) -> Path:
    names = sorted(path.stem for path in profiles_folder().glob("*.toml"))
    if profile not in names:
        raise ConfigError(f"--profile {profile!r} is unknown; there are: {', '.join(names) or 'none'}")
    return profiles_folder() / f"{profile}.toml"


def _toml_layer(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} is not valid TOML: {error}") from error


def _environment_layer(environment: Mapping[str, str]) -> Mapping[str, Any]:
    layer: dict[str, dict[str, object]] = {}
    if models := environment.get("FASTFACE_MODELS"):
        layer["models"] = {"dir": models}
    for name, value in environment.items():
        section, separator, key = name.removeprefix("FASTFACE_").lower().partition("__")
        if name.startswith("FASTFACE_") and separator:
            layer.setdefault(section, {})[key] = value
    return layer


def _fault(detail: Any) -> str:
    """One line for one fault: the key, what is wrong, the value that was given."""
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(map(str, detail['loc']))}: unknown setting"
    # Union members appear in `loc` as type names; keys are what the user wrote.
    keys = [str(part) for part in detail["loc"] if isinstance(part, int) or str(part).replace("_", "").isalnum()]
    where = ".".join(keys)
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]} (given: {detail['input']!r})"
