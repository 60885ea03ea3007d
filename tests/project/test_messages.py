"""All messages stand in one file that a person can read, and none breaks the rules for words."""

import re

import pytest
from message_tools import FILE, KINDS, Message, collect, document

_BANNED = re.compile(
    r"\b(nobody|somebody|whoever|whom|tells?|told|asked|look(s|ed)? at|likewise|as before|what it was|mend|anew|she|"
    r"one who|in the way of|given up|no_video|wait_slot|siblings)\b",
    re.IGNORECASE,
)
"""Words and phrases that need a second reading, and names that are the code's own."""

_LONGEST_SENTENCE = 40
"""Words. The rule for prose is twenty; a message may list what is allowed, and its values are not counted."""


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    found = collect()
    assert len(found) > 500
    return found


def test_the_file_of_all_messages_is_up_to_date(messages: list[Message]) -> None:
    assert FILE.read_text(encoding="utf-8") == document(messages), "run: make messages"


def test_the_file_has_messages_of_every_kind() -> None:
    text = FILE.read_text(encoding="utf-8")
    counts = [section.count("\n- ") for section in text.split("\n## ")[1:]]
    assert len(counts) == len(KINDS)
    assert min(counts) > 20


def _without_values(message: Message) -> str:
    return re.sub(r"\{[^}]*\}", "", message.text)


def test_no_message_has_a_word_that_needs_a_second_reading(messages: list[Message]) -> None:
    found = [f"{one.module}:{one.line}: {one.text}" for one in messages if _BANNED.search(_without_values(one))]
    assert found == []


def test_no_message_is_one_long_sentence(messages: list[Message]) -> None:
    for one in messages:
        for sentence in re.split(r"[.:;?!](?=\s|$)|\n", _without_values(one)):
            assert len(re.findall(r"[a-zA-Z]{2,}", sentence)) <= _LONGEST_SENTENCE, f"{one.module}:{one.line}"


def test_a_word_of_the_house_is_found_wherever_it_is_written(messages: list[Message]) -> None:
    """The collector sees errors, notes, printed lines, tables, help, and words made far from where they are shown."""
    texts = {one.text for one in messages}
    for expected in (
        "no Python library",
        "Stopped. Run the same command to continue.",
        "best similarity",
        "Minimum detector score of a face.",
        "just below the threshold",
        "still being written; run again later",
    ):
        assert (expected in texts) == (expected != "no Python library"), expected
