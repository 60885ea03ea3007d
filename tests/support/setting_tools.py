"""Writes docs/settings.md and fastface/setting_help.json: default, bounds, option and meaning of each setting.

Called by `make settings`. The help comes first, since the options are made from it.
"""

from places import ROOT

from fastface.config import describe_settings
from fastface.setting_help import SettingHelp, list_profiles, settings_to_text

FILE = ROOT / "docs" / "settings.md"
HELP = ROOT / "fastface" / "setting_help.json"

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

{profiles}

Pages with the reasons: [scanning](scanning.md), [matching](matching.md), [datasets](dataset.md),
[people](people.md), [curate](curate.md).
"""

_TABLE_HEAD = "| setting | default | value | option | |\n|---|---|---|---|---|\n"


def option_names() -> dict[str, str]:
    """{path of a setting, as `scan.det_size`: its option}, for the settings that have one."""
    from fastface.cli import options

    groups = [value for name, value in vars(options).items() if name.isupper() and isinstance(value, tuple)]
    return {flag.setting.path: flag.name for group in groups for flag in group if flag.name}


def document() -> str:
    """The file's text."""
    names = option_names()
    profiles = "\n".join(["| profile | for |", "|---|---|", *(_row(f"`{n}`", p) for n, p in list_profiles().items())])
    parts = [HEAD.replace("{profiles}", profiles)]
    topic = ""
    for setting in describe_settings():
        if setting.topic != topic:
            topic = setting.topic
            parts.append(f"\n## {setting.section}\n\n{topic.rpartition(' (')[0]}.\n\n{_TABLE_HEAD}")
        option = f"`{names[setting.path]}`" if setting.path in names else ""
        parts.append(_row(f"`{setting.path}`", setting.default, _allowed(setting), option, setting.text) + "\n")
    return "".join(parts)


def _allowed(setting: SettingHelp) -> str:
    value = "on, off" if setting.kind == "switch" else ", ".join(setting.choices) or setting.value
    return f"{value}. {setting.bounds}".removesuffix(". ")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    HELP.write_text(settings_to_text(describe_settings()), encoding="utf-8")
    FILE.write_text(document(), encoding="utf-8")
