"""The file that report.html saves is read strictly: a fault names its entry, and a moment has one verdict."""

import json
from pathlib import Path
from typing import Any

import pytest

from fastface.errors import ConfigError
from fastface.review.decision_file import read_decisions

SPAN = {
    "video": "a.mp4",
    "target": "Ann",
    "start": 1.0,
    "end": 2.5,
    "what": "span",
    "verdict": "rejected",
    "person": None,
}


def written(path: Path, *decisions: dict[str, Any], **changes: Any) -> Path:
    content = {"schema_version": 1, "kind": "decisions", "decisions": list(decisions), **changes}
    file = path / "decisions.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_decisions_are_read_in_order_and_once(tmp_path: Path) -> None:
    near = {**SPAN, "what": "near_miss", "verdict": "confirmed", "start": 0, "end": 0}
    given = {**SPAN, "video": "b <script>\n.mp4", "verdict": "given", "person": " Jose\u0301 "}
    found = read_decisions(written(tmp_path, SPAN, near, SPAN, given))
    assert [(one.video, one.what, one.verdict, one.person) for one in found] == [
        ("a.mp4", "span", "rejected", None),
        ("a.mp4", "near_miss", "confirmed", None),
        ("b <script>\n.mp4", "span", "given", "Jos\u00e9"),  # composed, as a photo's name is read
    ]
    assert found[2].effects() == (("Ann", False), ("Jos\u00e9", True))
    assert read_decisions(written(tmp_path)) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"start": "1"}, "decisions.1.start"),
        ({"start": -1}, "decisions.1.start"),
        ({"start": 3}, "decisions.1: .*end is before start"),
        ({"end": float("nan")}, "decisions.1.end"),
        ({"what": "hit"}, "decisions.1.what"),
        ({"verdict": "maybe"}, "decisions.1.verdict"),
        ({"verdict": "given"}, "decisions.1: .*person must be a name"),
        ({"person": "Bob"}, "decisions.1: .*null otherwise"),
        ({"verdict": "given", "person": " "}, "decisions.1: .*another name"),
        ({"verdict": "given", "person": "Ann"}, "decisions.1: .*another name"),
        ({"verdict": "given", "person": " Ann"}, "decisions.1: person is 'Ann', the name of target"),
        ({"more": 1}, "decisions.1.more"),
        ({"verdict": "confirmed"}, r"decisions\.1: decisions\.0 has another verdict on the same moment"),
    ],
)
def test_a_fault_names_its_entry(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_decisions(written(tmp_path, SPAN, {**SPAN, **change}))


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"kind": "people"}, {"decisions": None}, {"extra": 1}])
def test_another_file_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"is not a file that report\.html saved"):
        read_decisions(written(tmp_path, SPAN, **change))


def test_many_faults_are_listed_and_no_key_reaches_the_terminal_raw(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read_decisions(written(tmp_path, *({**SPAN, "start": "x", "\x1b[31m\n": 1} for _ in range(30))))
    lines = str(raised.value).splitlines()
    assert len(lines) == 12  # the file, ten faults, and the number of the others
    assert lines[-1].endswith("and 50 more")
    assert "\x1b" not in str(raised.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_decisions(tmp_path / "none.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ConfigError, match="larger than 64 MB"):
        read_decisions(tmp_path / "large.json")
