"""Names of answers: one for each question, and a folder that no name can leave."""

import itertools
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastface.search.answer_record import Answer

FEW = st.lists(st.text(alphabet="ab+; w", max_size=8), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize(
    ("targets", "where", "name", "expected"),
    [
        (["Bob", "Ann"], [], "", "Ann+Bob"),
        (["Ann"], ["alone(Ann)"], "", "Ann where alone(Ann)"),
        (["Ann", "Bob"], ["b", "a"], "", "Ann+Bob where a; b"),
        (["Ann", "Bob"], ["a"], " cast ", "cast"),
    ],
)
def test_a_name_is_given_or_comes_from_the_question(targets: list[str], where: list[str], name: str, expected: str):
    assert Answer.to_search(targets, where, name).name == expected


@pytest.mark.parametrize("name", ["..", "../../etc", "a/b", "/", "\n", "CON", "x" * 100, "\udce9", "-rf", "~"])
def test_a_folder_is_one_below_earlier_whatever_the_name(name: str) -> None:
    for answer in (Answer.to_search(["Ann"], [], name), Answer.to_search([name]), Answer.to_search(["Ann"], [name])):
        path = PurePosixPath(answer.folder)
        assert (len(path.parts), path.parts[0]) == (2, "earlier")
        assert path.name not in (".", "..")
        assert len(path.name.encode()) <= 100


@given(st.lists(st.tuples(FEW, st.one_of(st.just([]), FEW)), min_size=2, max_size=6))
def test_different_questions_have_different_folders(questions: list[tuple[list[str], list[str]]]) -> None:
    answers = {(frozenset(targets), frozenset(where)): Answer.to_search(targets, where) for targets, where in questions}
    for one, other in itertools.combinations(answers.values(), 2):
        assert one.folder != other.folder


@pytest.mark.parametrize(
    ("before", "asked", "is_lost"),
    [
        (Answer.to_search(["a"]), Answer.to_search(["a"]), False),
        (Answer.to_search(["a"]), Answer.to_search(["a", "b"]), False),  # the wider answer has all of the first
        (Answer.to_search(["a", "b"]), Answer.to_search(["a"]), True),
        (Answer.to_search(["a"]), Answer.to_search(["a", "b"], ["a and b"]), True),
        (Answer.to_search(["a", "b"], ["a and b"]), Answer.to_search(["a", "b"]), True),
        (Answer.to_search(["a", "b"], ["a and b"]), Answer.to_search(["a", "b"], ["a or b"]), True),
        (Answer.to_search(["a", "b"], ["a", "b"]), Answer.to_search(["b", "a"], ["b", "a"]), False),
        (Answer.to_search(["a"], [], "x"), Answer.to_search(["b"], ["b"], "x"), False),
        (Answer.to_search(["a"], [], "x"), Answer.to_search(["a"]), True),
        (Answer.to_search(["a"], [], "x"), Answer.to_search(["a"], [], "y"), True),
        (Answer(), Answer.to_search(["a"]), False),
    ],
)
def test_an_answer_is_replaced_only_by_one_that_has_it_or_its_name(before: Answer, asked: Answer, is_lost: bool):
    assert before.loses_to(asked) == is_lost
