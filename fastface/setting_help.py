"""Read the help of the settings and of the profiles.

`setting_help.json` is made from the models of `config` by `make settings`; a test fails while it is out of date. The
command line builds its options from it: the models need pydantic, which takes half of the start of a help page.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class SettingHelp:
    """Help of one setting."""

    section: str
    key: str
    topic: str  # heading of its section in help
    value: str  # form of the value, as `none|copy|precise`, `SECONDS`
    choices: tuple[str, ...]  # all values; empty if the setting allows others
    default: str
    text: str  # description; the first sentence must make sense alone
    bounds: str  # the allowed range as a sentence; empty if there is none
    kind: Literal["switch", "value", "list"]
    is_usual: bool  # True if the short help lists its option

    @property
    def full_text(self) -> str:
        """Description of the setting, with its bounds."""
        return f"{self.text} {self.bounds}".strip()

    @property
    def path(self) -> str:
        """Name of the setting in files and after `-s`."""
        return f"{self.section}.{self.key}"


@cache
def _read_settings() -> Mapping[str, SettingHelp]:
    """Return {path of a setting: its help}."""
    entries = json.loads(_FILE.read_text(encoding="utf-8"))
    settings = (SettingHelp(**{**entry, "choices": tuple(entry["choices"])}) for entry in entries)
    return {setting.path: setting for setting in settings}


def list_settings() -> Iterable[SettingHelp]:
    """Return all settings, by section."""
    return _read_settings().values()


def explain_setting(section: str, key: str) -> SettingHelp:
    """Return the help of one setting.

    Args:
        section: Name of its section.
        key: Its name in files and after `-s`.
    """
    return _read_settings()[f"{section}.{key}"]


def settings_to_text(settings: Iterable[SettingHelp]) -> str:
    """Return the content of `setting_help.json`, one setting a line."""
    lines = (json.dumps(asdict(setting), ensure_ascii=False) for setting in settings)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def profiles_folder() -> Path:
    """Return the folder of the profiles: in the package if installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def list_profiles() -> Mapping[str, str]:
    """Return {name of a profile: its purpose, from the comment in the first line of its file}."""
    files = sorted(profiles_folder().glob("*.toml"))
    return {path.stem: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for path in files}


def format_value(value: object) -> str:
    """Format a value as a user writes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(map(format_value, value))
    return str(value)
