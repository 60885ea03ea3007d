"""Settings from every place they may come from: which one wins, and all faults at once; every option has its key."""

from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import typer
from places import ROOT
from typer.main import get_command
from typer.testing import CliRunner

from fastface.cli.app import app
from fastface.cli.options import (
    EXPORT,
    GROWTH,
    MATCH,
    MODELS,
    QUESTION,
    REFERENCES,
    RUN,
    SCAN,
    SPANS,
    Invocation,
    with_settings,
)
from fastface.config import Config, load_config
from fastface.errors import ConfigError, FastfaceError
from fastface.setting_help import profiles_folder

# One row an option of `fastface run`, as the help has it: section, key, text, value.
OPTIONS: dict[str, tuple[str, str, str, object]] = {
    "--sample-fps": ("scan", "sample_fps", "8", 8.0),
    "--every-frame": ("scan", "every_frame", "", True),
    "--keyframes": ("scan", "keyframes", "", True),
    "--det-size": ("scan", "det_size", "640x384", (640, 384)),
    "--det-threshold": ("scan", "det_threshold", "0.4", 0.4),
    "--weak-threshold": ("scan", "weak_threshold", "0.2", 0.2),
    "--min-face": ("scan", "min_face", "40", 40),
    "--blur-gate": ("scan", "blur_gate", "grid", "grid"),
    "--track": ("scan", "track", "persons", "persons"),
    "--decoder": ("scan", "decoder", "auto", "auto"),
    "--batch": ("scan", "batch", "7", 7),
    "--decoders": ("scan", "decoders", "3", 3),
    "--workers": ("scan", "workers", "2", 2),
    "--ring-mb": ("scan", "ring_mb", "512", 512),
    "--false-tracks": ("match", "false_tracks", "0.5", 0.5),
    "--threshold": ("match", "threshold", "0.6", 0.6),
    "--exit-threshold": ("match", "exit_threshold", "0.3", 0.3),
    "--margin": ("match", "margin", "0.1", 0.1),
    "--not": ("match", "lookalikes", "other.jpg", (Path("other.jpg"),)),
    "--decisions": ("match", "decisions", "decisions.json", Path("decisions.json")),
    "--allow-faults": ("match", "allow_faults", "", True),
    "--where": ("question", "where", "a, b and c", ("a, b and c",)),
    "--persons": ("question", "persons", "", True),
    "--name": ("question", "name", "cast", "cast"),
    "--pad": ("spans", "pad", "1,10", (1.0, 10.0)),
    "--merge-gap": ("spans", "merge_gap", "0.5", 0.5),
    "--min-span": ("spans", "min_span", "3", 3.0),
    "--exact": ("spans", "exact", "", True),
    "--clips": ("export", "clips", "precise", "precise"),
    "--crops": ("export", "crops", "aligned", "aligned"),
    "--crop-size": ("export", "crop_size", "128", 128),
    "--crop-margin": ("export", "crop_margin", "0.1", 0.1),
    "--crop-format": ("export", "crop_format", "png", "png"),
    "--ratio": ("export", "ratio", "3:2,1:1", ("3:2", "1:1")),
    "--min-gap": ("export", "min_gap", "4", 4.0),
    "--max-crops": ("export", "max_crops", "9", 9),
    "--count": ("export", "count", "40", 40),
    "--size": ("export", "size", "512x512", (512, 512)),
    "--reel": ("export", "reel", "", True),
    "--contact-sheet": ("export", "contact_sheet", "", True),
    "--replace": ("export", "replace", "", True),
    "--faces": ("references", "faces", "only", "only"),
    "--flip": ("references", "flip", "", True),
    "--jitter": ("references", "jitter", "5", 5),
    "--grow": ("growth", "grow", "", True),
    "--add-threshold": ("growth", "add_threshold", "0.7", 0.7),
    "--max-added": ("growth", "max_added", "8", 8),
    "--person-model": ("models", "person_model", "p.onnx", "p.onnx"),
    "--snapshots": ("export", "snapshots", "", True),
    "--boxes": ("export", "boxes", "", True),
    "--timelines": ("export", "timelines", "srt, edl", ("edl", "srt")),
    "--report": ("export", "report", "", True),
    "--fresh": ("run", "fresh", "", True),
    "--shard": ("run", "shard", "2/5", "2/5"),
    "--watch": ("run", "watch", "", True),
    "--watch-interval": ("run", "watch_interval", "60", 60.0),
    "--until": ("run", "until", "06:30", time(6, 30)),
    "--max-hours": ("run", "max_hours", "8", 8.0),
    "--strict": ("run", "strict", "", True),
    "--on-finish": ("run", "on_finish", "mail.sh 'the archive'", "mail.sh 'the archive'"),
    "--engine": ("run", "engine", "ray", "ray"),
    "--metrics": ("run", "metrics", "fastface.prom", Path("fastface.prom")),
    "--pack": ("models", "pack", "buffalo_s", "buffalo_s"),
    "--detector": ("models", "detector", "d.onnx", "d.onnx"),
    "--recogniser": ("models", "recogniser", "r.onnx", "r.onnx"),
    "--devices": ("models", "devices", "1,0", (1, 0)),
    "--device": ("models", "device", "cpu", "cpu"),
    "--precision": ("models", "precision", "float32", "float32"),
    "--models": ("models", "folder", "nets", Path("nets")),
}
COMMANDS = ("run", "scan", "find", "enroll", "status", "bench", "demo")
FLOATS = sorted(
    (section, name)
    for section, group in Config.model_fields.items()
    for name, field in group.annotation.model_fields.items()  # type: ignore[union-attr]
    if "float" in str(field.annotation) or name in {"sample_fps"}
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("FASTFACE_MODELS", *(f"FASTFACE_{section}__{key}".upper() for section, key, *_ in OPTIONS.values())):
        monkeypatch.delenv(name, raising=False)


def _settings_of(*arguments: str) -> Config:
    """The settings that a command with all options has after these arguments."""
    seen: list[Config] = []
    probe = typer.Typer()

    @probe.command()
    @with_settings(SCAN, REFERENCES, MATCH, GROWTH, QUESTION, SPANS, EXPORT, RUN, MODELS)
    def command(invocation: Invocation) -> None:
        seen.append(invocation.config)

    result = CliRunner().invoke(probe, list(arguments))
    if isinstance(result.exception, FastfaceError):
        raise result.exception
    assert result.exit_code == 0, result.output
    (config,) = seen
    return config


def _faults(*arguments: str, **layers: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _settings_of(*arguments) if arguments else load_config(**{"environment": {}, **layers})
    assert caught.value.exit_code == 2
    assert str(caught.value).splitlines() == caught.value.faults
    return caught.value.faults


def _value(config: Config, section: str, key: str) -> object:
    return getattr(getattr(config, section), key)


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_sets_its_key_and_nothing_else(option: str) -> None:
    section, key, text, value = OPTIONS[option]
    start = [] if value is not True else [option.replace("--", "--no-", 1)]
    before, after = _settings_of(*start), _settings_of(option, *([text] if text else []))
    assert _value(before, section, key) != value
    assert _value(after, section, key) == value
    changed = [
        (name, field)
        for name, model in before
        for field in type(model).model_fields
        if _value(before, name, field) != _value(after, name, field)
    ]
    assert changed == [(section, key)]


def _setting_options(command: str) -> Iterator[tuple[str, str]]:
    """The options of a command that stand for settings, each with its parameter's name."""
    sections = tuple(f"{section}_" for section in Config.model_fields)
    for parameter in get_command(app).get_command(None, command).params:  # type: ignore[attr-defined]
        if parameter.name.startswith(sections):
            yield parameter.opts[0], parameter.name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_one_of_the_settings(command: str) -> None:
    options = dict(_setting_options(command))
    assert bool(options) == (command != "status")
    assert options.keys() <= OPTIONS.keys()
    for option, parameter in options.items():
        section, _, key = parameter.partition("_")
        text = OPTIONS[option][2] or "true"
        load_config(environment={}, flags={section: {key: text}})  # refuses a key that is none


def test_run_has_every_option_and_scan_and_find_share_them_out() -> None:
    assert dict(_setting_options("run")).keys() == OPTIONS.keys()
    scan, find = dict(_setting_options("scan")).keys(), dict(_setting_options("find")).keys()
    assert scan | find == OPTIONS.keys()
    shared = {option for option, (section, *_) in OPTIONS.items() if section == "models"}
    shared |= {"--until", "--max-hours", "--engine"}
    assert scan & find == shared


def test_a_lookalike_may_be_named_more_than_once() -> None:
    config = _settings_of("--not", "a.jpg", "--not", "b.jpg")
    assert config.match.lookalikes == (Path("a.jpg"), Path("b.jpg"))


# ── precedence ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_five_layers_each_above_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key is given from layer n on upwards, so its value tells which layer won."""
    keys = ("min_face", "batch", "decoders", "workers", "ring_mb", "max_pixels")
    monkeypatch.setattr("fastface.config.load.profiles_folder", lambda: tmp_path)
    (tmp_path / "mine.toml").write_text("[scan]\n" + "".join(f"{key} = 11\n" for key in keys[1:]))
    file = tmp_path / "file.toml"
    file.write_text("[scan]\n" + "".join(f"{key} = 12\n" for key in keys[2:]))
    for key in keys[3:]:
        monkeypatch.setenv(f"FASTFACE_SCAN__{key.upper()}", "13")
    sets = [part for key in keys[4:] for part in ("-s", f"scan.{key}=14")]
    config = _settings_of("--profile", "mine", "-c", str(file), *sets, "-s", "scan.det_threshold=0.3",
                          "--det-threshold", "0.7")  # fmt: skip
    assert [_value(config, "scan", key) for key in keys] == [16, 11, 12, 13, 14, 14]
    assert config.scan.det_threshold == 0.7  # an option is above --set, in whatever order they stand


def test_the_order_of_set_and_option_does_not_matter() -> None:
    assert _settings_of("--batch", "7", "-s", "scan.batch=5").scan.batch == 7
    assert _settings_of("-s", "scan.batch=5", "-s", "scan.batch=6").scan.batch == 6


def test_a_layer_leaves_other_keys_and_sections_alone(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text("[spans]\nmerge_gap = 3\n[match]\nmargin = 0.2\n")
    config = load_config(profile="highlights", file=file, environment={"FASTFACE_SPANS__MIN_SPAN": "4"})
    assert (config.spans.pad, config.spans.merge_gap, config.spans.min_span) == ((1, 10), 3, 4)
    assert config.match.margin == 0.2


def test_an_option_turns_off_what_a_file_turns_on(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text("[scan]\nevery_frame = true\n[export]\nsnapshots = true\n")
    config = _settings_of("-c", str(file), "--no-every-frame")
    assert (config.scan.every_frame, config.export.snapshots) == (False, True)


@pytest.mark.parametrize("name", ["FASTFACE_MODELS", "FASTFACE_MODELS__DIR"])
def test_the_models_folder_of_the_environment_gives_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "a")
    assert _settings_of().models.folder == Path("a")
    assert _settings_of("-s", "models.dir=b").models.folder == Path("b")
    assert _settings_of("--models", "c").models.folder == Path("c")


def test_the_settings_that_run_json_shows_can_be_given_again() -> None:
    config = _settings_of("--not", "a.jpg", "--models", "nets", "--det-size", "640x384", "--pad", "1,10")
    shown = {
        section: {key: value for key, value in keys.items() if value is not None}
        for section, keys in config.model_dump(mode="json", by_alias=True).items()
    }
    assert load_config(environment={}, flags=shown) == config


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_faults_of_all_layers_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastface.config.load.profiles_folder", lambda: tmp_path)
    (tmp_path / "mine.toml").write_text("[export]\nclip = 'copy'\n")
    file = tmp_path / "file.toml"
    file.write_text("[match]\nmargin = nan\n[spam]\negg = 1\n")
    monkeypatch.setenv("FASTFACE_SPANS__MERGE_GAP", "-1")
    faults = _faults("--profile", "mine", "-c", str(file), "-s", "scan.unit_seconds=0", "--device", "gpu")
    assert sorted(faults) == [
        "--device gpu: must be auto, cpu, cuda, tensorrt or openvino",
        "-s scan.unit_seconds=0: must be at least 1",
        "FASTFACE_SPANS__MERGE_GAP=-1: must be at least 0",
        f"export.clip: unknown setting; did you mean export.clips? (in {tmp_path / 'mine.toml'})",
        f"match.margin: must be a finite number (given: nan, in {file})",
        f"spam: unknown section of settings; did you mean spans? (in {file})",
    ]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--threshold", "1.5"), "--threshold 1.5: must be at most 1"),
        (("--batch", "many"), "--batch many: must be a whole number"),
        (("--pad", "1,nan"), "--pad 1,nan: must be a finite number"),
        (("--devices", "0,0"), "--devices 0,0: must name each card once"),
        (("-s", "match.threshold=1.5"), "-s match.threshold=1.5: must be at most 1"),
        (("-s", "match.treshold=0.5"), "-s match.treshold=0.5: unknown setting; did you mean match.threshold?"),
        (("-s", "mtach.threshold=0.5"), "-s mtach.threshold=0.5: unknown section of settings; did you mean match?"),
    ],
)
def test_a_fault_is_reported_as_the_user_typed_it(arguments: tuple[str, ...], fault: str) -> None:
    assert _faults(*arguments) == [fault]


@pytest.mark.parametrize(
    ("variable", "fault"),
    [
        ("FASTFACE_MODEL", "FASTFACE_MODEL: unknown environment variable; did you mean FASTFACE_MODELS?"),
        ("FASTFACE_COLOUR", "FASTFACE_COLOUR: unknown environment variable"),
        (
            "FASTFACE_SCAN_BATCH",
            "FASTFACE_SCAN_BATCH: unknown environment variable; did you mean FASTFACE_SCAN__BATCH?",
        ),
        ("FASTFACE_SCAN__BACH", "FASTFACE_SCAN__BACH=4: unknown setting; did you mean scan.batch?"),
    ],
)
def test_an_unknown_variable_of_the_environment_is_named(variable: str, fault: str) -> None:
    assert _faults(environment={variable: "4"})[0] == fault


@pytest.mark.parametrize("key", ["det-size", "det size", "détail", "a.b"])
def test_an_unknown_key_is_told_as_it_was_written(key: str) -> None:
    (fault,) = _faults("-s", f"scan.{key}=1")
    assert f"scan.{key}" in fault
    assert "unknown" in fault


@pytest.mark.parametrize("text", ["scan", "scan=1", "scan.batch", "=", ""])
def test_a_set_of_the_wrong_form_says_the_right_one(text: str) -> None:
    (fault,) = _faults("-s", text)
    assert repr(text) in fault
    assert "section.key=value" in fault


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "NaN"])
@pytest.mark.parametrize(("section", "key"), FLOATS)
def test_a_number_that_is_none_is_refused_from_text_and_from_a_file(
    section: str, key: str, text: str, tmp_path: Path
) -> None:
    faults = _faults(flags={section: {key: text}})
    assert len(faults) == (2 if key == "pad" else 1)  # one number for both sides: both are wrong
    assert all(fault.startswith(f"{section}.{key}") for fault in faults)
    file = tmp_path / "file.toml"
    file.write_text(f"[{section}]\n{key} = {text.lower()}\n")
    with pytest.raises(ConfigError, match=rf"^{section}\.{key}"):
        load_config(file=file, environment={})


def test_the_settings_that_are_fractions_were_found() -> None:
    assert len(FLOATS) > 50
    assert {("spans", "pad"), ("match", "threshold"), ("body", "cut"), ("run", "max_hours")} <= set(FLOATS)


@pytest.mark.parametrize(
    ("section", "key", "allowed", "refused"),
    [
        ("scan", "sample_fps", ("0.1", "240"), ("0", "-5", "241", "fast")),
        ("scan", "det_threshold", ("0.01", "0.99"), ("0", "1", "-0.5", "50")),
        ("scan", "min_face", ("1", "4096"), ("0", "-16", "1.5")),
        ("scan", "det_size", ("auto", "64x64", "4096x4096", "640X384"), ("641x640", "640", "32x32", "640x640x3", "")),
        ("scan", "batch", ("0", "64"), ("-1", "65", "4.5", "x")),
        ("match", "threshold", ("-1", "1"), ("-1.01", "1.01")),
        ("spans", "pad", ("0", "0,0", "1.5,86400"), ("-1", "1,-1", "1,2,3", ",", "1;2")),
        ("spans", "merge_gap", ("0", "86400"), ("-0.1", "86401")),
        ("spans", "exact", ("true", "false"), ("maybe", "")),
        ("export", "crop_size", ("32", "1024"), ("31", "1025")),
        ("export", "clips", ("none", "copy", "precise", "smart"), ("all", "COPY", "")),
        ("models", "device", ("auto", "cpu", "cuda", "tensorrt", "openvino"), ("gpu", "cuda:0", "")),
        ("models", "precision", ("auto", "float32", "bfloat16", "float16"), ("int4", "bf16", "")),
    ],
)
def test_bounds_belong_to_what_is_allowed(
    section: str, key: str, allowed: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    for text in allowed:
        load_config(environment={}, flags={section: {key: text}})
    for text in refused:
        faults = _faults(flags={section: {key: text}})
        assert faults, text
        assert all(fault.startswith(f"{section}.{key}") for fault in faults)
        assert all("\n" not in fault for fault in faults)


# ── profiles ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_profiles_are_what_the_documents_say() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    names = sorted(path.stem for path in profiles_folder().glob("*.toml"))
    assert names == ["dataset", "faces", "fast", "highlights"]
    assert all(f"`{name}`" in page for name in names)
    highlights, faces, fast = (load_config(profile=name, environment={}) for name in ("highlights", "faces", "fast"))
    assert highlights.spans.pad == (1, 10)
    assert highlights.export.clips != "none"
    assert (faces.export.crops, faces.export.clips) == ("aligned", "none")
    assert fast.scan.keyframes
    dataset = load_config(profile="dataset", environment={})
    assert (dataset.export.crops, dataset.export.ratio, dataset.growth.grow) == ("body", ("2:3",), True)
    assert not highlights.scan.keyframes


@pytest.mark.parametrize("name", ["", "..", "../pyproject", "/etc/passwd", "fast.toml", "FAST"])
def test_a_profile_is_a_name_and_never_a_path(name: str) -> None:
    (fault,) = _faults("--profile", name)
    for known in ("faces", "fast", "highlights"):
        assert known in fault
