"""Names that users chose cannot leave the output folder, and different texts never share a name."""

import os
import re
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastface.names import clean_text, file_name, is_shown, label_name, safe_name, valid_text

NASTY = st.text(st.characters(categories=None) | st.sampled_from("./\\-~ :\x00\n%_aA\udce9"), max_size=300)


FAMILY = "👨\u200d👩\u200d👧"
"""One emoji of five characters, two of which join the others and show nothing by themselves."""


@pytest.mark.parametrize(
    "text",
    ["Lin-Manuel Miranda", "friends.mp4", "Renée", "王小明", "a.b-c_d", "O'Neil", "=x", f"Иван Петров {FAMILY}", "❤️",
     "می\u200cخواهم"],
)  # fmt: skip
def test_a_good_name_is_kept(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a\x00b", "a\nb", "-rf", "~root", ".part-x", " x", "x ",
     "x.", "NUL", "con.mp4", "a%03d", "concat:x", "caf\udce9", "\u202egpj.exe", "x" * 101, "é" * 51, "x-0123abcd",
     "a\u200db", "\u200d", "é\u200d", "é\u200d\u200dé", "é\u200d\u202eé", f"x{FAMILY}\u200d.mp4"],
)  # fmt: skip
def test_a_bad_name_is_changed_and_marked(text: str) -> None:
    name = safe_name(text)
    assert name != text
    assert name[-9] == "-"
    assert set(name[-8:]) <= set("0123456789abcdef")


@given(NASTY)
def test_a_name_is_one_component_of_a_path(text: str) -> None:
    name = safe_name(text)
    assert len(name.encode("utf-8")) <= 100
    assert name == PurePath("out", name).name
    assert re.sub(
        "(?<=[^\x00-\x7f\u200d])\u200d(?=[^\x00-\x7f\u200d])", "", name.replace("\u200c", "\u200d")
    ).isprintable()
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert safe_name(text) == name


@given(NASTY, NASTY)
def test_different_texts_have_different_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_a_full_stop_at_the_end_costs_a_digest_only_beside_a_person_without_it() -> None:
    assert label_name("Robert Downey Jr.") == label_name("Robert Downey Jr") == "Robert Downey Jr"
    beside = label_name("Robert Downey Jr.", ["Robert Downey Jr", "Robert Downey Jr."])
    assert re.fullmatch("Robert Downey Jr-[0-9a-f]{8}", beside)
    assert label_name("..") == safe_name("..")
    assert label_name("Jr..") == safe_name("Jr..")


def test_a_name_that_was_given_by_safe_name_is_no_one_elses() -> None:
    taken = safe_name("a/b")
    assert safe_name(taken) != taken


@given(NASTY)
def test_valid_text_is_utf8(text: str) -> None:
    valid_text(text).encode("utf-8")


def test_a_foreign_byte_stays_readable() -> None:
    assert valid_text(os.fsdecode(b"caf\xe9.mp4")) == "caf\\xe9.mp4"
    assert valid_text("\ud83d") == "\\ud83d"
    assert valid_text("Renée 王") == "Renée 王"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f" Иван Петров {FAMILY} ", f"Иван Петров {FAMILY}"),
        ("two\nlines", "two_lines"),
        ("right\u202eleft", "right_left"),
        ("a\u200db", "a_b"),
        ("é\u200d\u202eé", "é__é"),
    ],
)
def test_a_name_is_shown_as_a_person_wrote_it(text: str, shown: str) -> None:
    assert clean_text(text) == shown
    assert is_shown(text) == (text.strip() == shown)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("film: part 2.mp4", "film_ part 2.mp4"),
        ("what?.mkv", "what_.mkv"),
        ("Mr. Smith.", "Mr. Smith"),
        ("a.mp4", "a.mp4"),
    ],
)
def test_a_file_name_has_no_digest_where_its_caller_tells_equal_ones_apart(text: str, name: str) -> None:
    assert file_name(text) == name


@given(NASTY)
def test_a_file_name_is_as_safe_as_another(text: str) -> None:
    name = file_name(text)
    assert safe_name(name) in (name, safe_name(text)) or re.search("-[0-9a-f]{8}$", name)
    assert name == PurePath("out", name).name
    assert len(name.encode()) <= 100
