"""Settings: precedence, bounds, and every fault told at once."""

import time
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest

from fastface.config import Config, load_config
from fastface.errors import ConfigError
from fastface.setting_help import profiles_folder
from fastface.types import TimelineFormat

PROFILES = sorted(path.stem for path in profiles_folder().glob("*.toml"))


def _faults(**given: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(environment={}, **given)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_defaults_are_those_of_the_contract() -> None:
    config = load_config(environment={})
    assert config.scan.sample_fps == 5
    assert not config.scan.every_frame
    assert config.scan.det_size == "auto"
    assert config.models.device == "auto"
    assert not config.spans.exact
    assert config.models.folder is None


def test_each_layer_gives_way_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults < profile < file < environment < flags; keys that a layer does not have come from below."""
    monkeypatch.setattr("fastface.config.load.profiles_folder", lambda: tmp_path)
    (tmp_path / "mine.toml").write_text("[spans]\nmerge_gap = 11\nmin_span = 11\n[scan]\nbatch = 11\ndecoders = 11\n")
    file = tmp_path / "file.toml"
    file.write_text("[spans]\nmin_span = 12\n[scan]\nbatch = 12\ndecoders = 12\n")
    environment = {"FASTFACE_SCAN__BATCH": "13", "FASTFACE_SCAN__DECODERS": "13", "OTHER": "x", "MY_FASTFACE_X": "y"}
    config = load_config(profile="mine", file=file, environment=environment, flags={"scan": {"decoders": "14"}})
    assert (config.spans.merge_gap, config.spans.min_span) == (11, 12)
    assert (config.scan.batch, config.scan.decoders) == (13, 14)
    assert config.scan.sample_fps == 5


def test_the_models_folder_comes_from_its_variable_and_gives_way_to_the_flag(tmp_path: Path) -> None:
    environment = {"FASTFACE_MODELS": str(tmp_path)}
    assert load_config(environment=environment).models.folder == tmp_path
    assert load_config(environment=environment, flags={"models": {"dir": "x"}}).models.folder == Path("x")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[scan]\nbatch = 1000\nbach = 4\n[match]\nthreshold = nan\n[spam]\nx = 1\n[spans]\npad = [1, -2]\n")
    faults = _faults(file=file, flags={"scan": {"det_size": "641x640"}, "export": {"clips": "best"}})
    for key in ("scan.batch", "scan.bach", "match.threshold", "spam", "spans.pad", "scan.det_size", "export.clips"):
        assert sum(fault.startswith(key) for fault in faults) == 1, key
    assert len(faults) == 7
    by_key = {fault.split(":")[0]: fault for fault in faults}
    assert "1000" in by_key["scan.batch"]
    assert "64" in by_key["scan.batch"]  # what was given, and what is allowed
    assert by_key["scan.bach"] == f"scan.bach: unknown setting; did you mean scan.batch? (in {file})"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("scan", "sample_fps", "nan"),
        ("scan", "sample_fps", "0"),
        ("scan", "sample_fps", "0.0003"),
        ("scan", "sample_fps", "inf"),
        ("scan", "batch", "-1"),
        ("scan", "batch", "1.5"),
        ("scan", "det_size", "640"),
        ("scan", "det_size", "0x0"),
        ("scan", "det_size", "640x-32"),
        ("scan", "det_threshold", "1"),
        ("match", "threshold", "1.01"),
        ("match", "margin", "nan"),
        ("spans", "pad", "1,2,3"),
        ("spans", "pad", "1,nan"),
        ("spans", "pad", "1,a"),
        ("spans", "merge_gap", "-1"),
        ("spans", "exact", "perhaps"),
        ("export", "crop_size", "16"),
        ("export", "crops", "all"),
        ("models", "device", "gpu"),
    ],
)
def test_a_value_out_of_range_is_named(section: str, key: str, value: str) -> None:
    faults = _faults(flags={section: {key: value}})
    assert len(faults) == 1
    assert faults[0].startswith(f"{section}.{key}")


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("export", "ratio", "100:1", "must be from 1:4 to 4:1, to frame a person"),
        ("export", "ratio", "1:5", "must be from 1:4 to 4:1, to frame a person"),
        ("export", "ratio", "41:10", "must be from 1:4 to 4:1, to frame a person"),
        ("export", "ratio", ",", "must name at least one ratio, as 2:3,1:1"),
        ("export", "ratio", "", "must name at least one ratio, as 2:3,1:1"),
        ("export", "timelines", "edl,docx", f"must be all, none, or some of {', '.join(get_args(TimelineFormat))}"),
        ("spans", "pad", "1,2,3", "must be BEFORE,AFTER in seconds, as 1,10, or one number for both"),
        ("spans", "pad", [1.0], "is incomplete: a value is missing"),
        ("scan", "batch", "99", "must be at most 64"),
        ("scan", "batch", "-1", "must be at least 0"),
        ("scan", "batch", "1.5", "must be a whole number"),
        ("scan", "det_threshold", "1", "must be less than 1"),
        ("scan", "det_threshold", "0", "must be more than 0"),
        ("match", "threshold", "nan", "must be a finite number"),
        ("match", "threshold", "high", "must be a number"),
        ("spans", "exact", "perhaps", "must be true or false"),
        ("export", "crops", "all", "must be none, face, aligned or body"),
        ("models", "pack", 7, "must be text"),
        ("models", "devices", "x", "must be a whole number"),
    ],
)
def test_a_fault_is_told_in_words_of_our_own(section: str, key: str, value: object, said: str) -> None:
    (fault,) = _faults(flags={section: {key: value}})
    where, told, given = fault.partition(f": {said} (given: ")
    assert where.startswith(f"{section}.{key}"), fault
    assert (bool(told), given[-1]) == (True, ")"), fault


@pytest.mark.parametrize(
    ("section", "key", "text", "value"),
    [
        ("scan", "det_size", "640x384", (640, 384)),
        ("scan", "every_frame", "true", True),
        ("spans", "pad", "1,10", (1, 10)),
        ("spans", "pad", "2", (2, 2)),
        ("spans", "merge_gap", "0.5", 0.5),
    ],
)
def test_text_of_the_command_line_is_understood(section: str, key: str, text: str, value: object) -> None:
    assert getattr(getattr(load_config(environment={}, flags={section: {key: text}}), section), key) == value


def test_a_file_that_is_missing_or_no_toml_is_one_line(tmp_path: Path) -> None:
    assert len(_faults(file=tmp_path / "none.toml")) == 1
    (tmp_path / "bad.toml").write_text("[scan\n")
    assert len(_faults(file=tmp_path / "bad.toml")) == 1
    (tmp_path / "latin.toml").write_bytes(b'[models]\npack = "\xe9"\n')
    assert len(_faults(file=tmp_path / "latin.toml")) == 1
    (tmp_path / "flat.toml").write_text("scan = 3\n")
    assert _faults(file=tmp_path / "flat.toml")[0].startswith("scan:")
    assert _faults(file=tmp_path / "flat.toml", flags={"scan": {"batch": "3"}})[0].startswith("scan:")
    (tmp_path / "deep.toml").write_text("[scan]\nbatch = 3\n")
    assert _faults(file=tmp_path / "deep.toml", flags={"scan": 3})[0].startswith("scan:")


def test_an_unknown_profile_names_those_that_are_there() -> None:
    (fault,) = _faults(profile="no such")
    assert PROFILES
    assert all(name in fault for name in PROFILES)
    assert len(_faults(profile="../pyproject")) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_that_come_with_it_are_valid_and_change_something(profile: str) -> None:
    assert load_config(profile=profile, environment={}) != load_config(environment={})


def test_settings_cannot_be_changed_after_they_are_checked() -> None:
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.scan.batch = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("now", "until", "max_hours", "seconds"),
    [
        ("2026-11-21T23:50:00", "06:30", None, 24_000),
        ("2026-11-21T23:50:30", "23:50", None, 86_370),  # of the next day
        ("2026-11-21T23:50:00", "6:30", 0.5, 1800),
        ("2026-11-21T06:29:59", "06:30", 24, 1),
        ("2026-11-21T06:29:59", None, None, None),
        ("2027-03-27T22:00:00", "06:30", None, 7.5 * 3600),  # clocks go an hour on
        ("2026-10-24T22:00:00", "06:30", None, 9.5 * 3600),  # and back
    ],
)
def test_a_run_may_last_until_the_next_such_time(
    monkeypatch: pytest.MonkeyPatch, now: str, until: str | None, max_hours: float | None, seconds: float | None
) -> None:
    config = load_config(environment={}, flags={"run": {"until": until, "max_hours": max_hours}})
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")  # as in Berlin
    try:
        time.tzset()
        assert config.run.seconds_left(datetime.fromisoformat(now)) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("wrong", ["25:00", "6", "06:61", "evening", ""])
def test_what_is_no_time_of_day_is_a_fault(wrong: str) -> None:
    (fault,) = _faults(flags={"run": {"until": wrong}})
    assert "must be a time of day, as 06:30" in fault


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "2", "1/0", "a/b", "1/2/3", "-1/2", "1/10001", "1.5/2", ""])
def test_what_is_no_shard_is_a_fault(wrong: str) -> None:
    (fault,) = _faults(flags={"run": {"shard": wrong}})
    assert "must be I/N with I from 1 to N" in fault


def test_a_shard_has_one_form() -> None:
    assert load_config(environment={}).run.shard == "1/1"
    assert load_config(environment={}, flags={"run": {"shard": " 02/05"}}).run.shard == "2/5"


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ("0,1", (0, 1)),
        ("3", (3,)),
        (["0", "2"], (0, 2)),
        (["0,1", "5"], (0, 1, 5)),
        ([0, 1], (0, 1)),
        (2, (2,)),
        ([], ()),
    ],
)
def test_card_numbers_come_as_a_list_in_any_form(given: object, numbers: tuple[int, ...]) -> None:
    assert load_config(environment={}, flags={"models": {"devices": given}}).models.devices == numbers


@pytest.mark.parametrize("given", ["0,0", "a", "0,", "-1", "64", "1.5", True, "GPU-1"])
def test_card_numbers_that_are_none_are_named(given: object) -> None:
    (fault,) = _faults(flags={"models": {"devices": given}})
    assert fault.startswith("models.devices")


@pytest.mark.parametrize(
    ("given", "formats"),
    [
        ("none", ()),
        ("", ()),
        ("all", get_args(TimelineFormat)),
        ("coco, edl,coco", ("edl", "coco")),
        (["coco,srt", "edl"], ("edl", "srt", "coco")),
    ],
)
def test_formats_of_timelines_are_a_list(given: object, formats: tuple[str, ...]) -> None:
    assert load_config(environment={}, flags={"export": {"timelines": given}}).export.timelines == formats


@pytest.mark.parametrize("address", ["", "auto", "head:6379", "10.0.0.1:6379"])
def test_an_address_of_a_cluster_is_auto_or_a_host_with_a_port(address: str) -> None:
    assert load_config(environment={}, flags={"run": {"ray_address": address}}).run.ray_address == address


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", "local"])
def test_another_address_of_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="must be auto, HOST:PORT, or empty"):
        load_config(environment={}, flags={"run": {"ray_address": address}})
