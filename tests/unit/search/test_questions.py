"""Expressions over persons: what they mean, by hand and against a grid, and what is told of a wrong one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastface.errors import ConfigError
from fastface.search.questions import Sightings, evaluate, parse_question, read_questions
from fastface.timeline import Interval, merge

PEOPLE = ("alice", "bob", "carol")
LENGTH = 60


def seconds(*bounds: tuple[float, float]) -> tuple[Interval, ...]:
    return tuple((Fraction(start), Fraction(end)) for start, end in bounds)


SEEN = {"alice": seconds((0, 10), (30, 40)), "bob": seconds((5, 12), (50, 55)), "carol": seconds((8, 20))}
STRANGERS = seconds((2, 4), (31, 33))


def others(label: str) -> tuple[Interval, ...]:
    return merge([*STRANGERS, *(one for name, found in SEEN.items() if name != label for one in found)])


def moments(text: str, grain: float = 0.0) -> list[tuple[float, float]]:
    (question,) = read_questions([text], PEOPLE)
    found = evaluate(question, Sightings(SEEN, others, seconds((0, LENGTH)), Fraction(grain)))
    return [(float(start), float(end)) for start, end in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice", [(0, 10), (30, 40)]),
        ("alice and bob", [(5, 10)]),
        ("alice and not bob", [(0, 5), (30, 40)]),
        ("alice or bob", [(0, 12), (30, 40), (50, 55)]),
        ("(alice or bob) and carol", [(8, 12)]),
        ("alice or bob and carol", [(0, 10), (30, 40), (8, 12)]),  # and binds tighter than or
        ("not alice and bob", [(10, 12), (50, 55)]),  # not binds tighter than and
        ("not (alice and bob)", [(0, 5), (10, 60)]),
        ("not not bob", [(5, 12), (50, 55)]),
        ("alone(alice)", [(0, 2), (4, 5), (30, 31), (33, 40)]),
        ("alice within 10s of bob", [(0, 10), (40, 40)]),
        ("alice within 12 s of bob", [(0, 10), (38, 40)]),
        ("bob within 0.5min of (alice and carol)", [(5, 12)]),
        ("not alice within 1h of bob", [(0, 0), (10, 30), (40, 60)]),  # within binds tighter than not
        ("ALICE AND NOT Bob", [(0, 5), (30, 40)]),
        ("'alice' and \"bob\"", [(5, 10)]),
        ("alice and carol and bob", [(8, 10)]),
        ("bob and not bob", []),
    ],
)
def test_the_moments_by_hand(text: str, expected: list[tuple[float, float]]) -> None:
    joined = merge(seconds(*expected))
    assert moments(text) == [(float(start), float(end)) for start, end in joined]


def test_what_is_shorter_than_half_a_sample_is_no_moment_and_no_gap() -> None:
    # Samples of alice and bob that follow each other: the second one begins 0.01 s too early, then 0.01 s too late.
    seen = {"alice": seconds((0, 1), (2, 3)), "bob": seconds((0.99, 2.01))}
    for text, expected in [("alice and bob", []), ("alice or bob", [(0, 3)]), ("alice and not bob", [(0, 1), (2, 3)])]:
        (question,) = read_questions([text], seen)
        found = evaluate(question, Sightings(seen, lambda label: (), seconds((0, 9)), Fraction("0.1")))
        assert [(round(float(start), 1), round(float(end), 1)) for start, end in found] == expected


ONE = st.sampled_from(PEOPLE)
TREE = st.recursive(
    ONE,
    lambda part: st.one_of(
        st.tuples(st.just("not"), part),
        st.tuples(st.sampled_from(["and", "or"]), part, part),
        st.tuples(st.just("within"), part, part, st.integers(0, 7)),
        st.tuples(st.just("alone"), ONE),
    ),
    max_leaves=6,
)
STRETCHES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=4)


def written(tree) -> str:
    match tree:
        case str():
            return tree
        case ("not", part):
            return f"not ({written(part)})"
        case ("alone", person):
            return f"alone({person})"
        case ("within", one, other, distance):
            return f"(({written(one)}) within {distance}s of ({written(other)}))"
        case (word, one, other):
            return f"({written(one)} {word} {written(other)})"


def holds(tree, cells: dict[str, set[int]], others: set[int], searched: set[int]) -> set[int]:
    """The seconds in which a tree holds, each decided by itself."""
    match tree:
        case str():
            return cells[tree]
        case ("not", part):
            return searched - holds(part, cells, others, searched)
        case ("alone", person):
            rest = set().union(others, *(found for name, found in cells.items() if name != person))
            return cells[person] - rest
        case ("within", one, other, distance):
            near = holds(other, cells, others, searched)
            mine = holds(one, cells, others, searched)
            return {cell for cell in mine if any(abs(cell - two) <= distance for two in near)}
        case ("and", one, other):
            return holds(one, cells, others, searched) & holds(other, cells, others, searched)
        case ("or", one, other):
            return holds(one, cells, others, searched) | holds(other, cells, others, searched)


@given(TREE, st.fixed_dictionaries(dict.fromkeys(PEOPLE, STRETCHES)), STRETCHES, STRETCHES)
def test_expressions_agree_with_each_second_by_itself(tree, seen, strangers, searched) -> None:
    def intervals(stretches) -> tuple[Interval, ...]:
        return merge((Fraction(start), Fraction(start + length)) for start, length in stretches)

    def cells(stretches) -> set[int]:
        return {second for start, length in stretches for second in range(start, start + length)}

    presence = {name: intervals(stretches) for name, stretches in seen.items()}
    sightings = Sightings(
        presence,
        lambda label: merge(
            [*intervals(strangers), *(one for name in PEOPLE if name != label for one in presence[name])]
        ),
        intervals(searched),
        Fraction(0),
    )
    (question,) = read_questions([written(tree)], PEOPLE)
    found = evaluate(question, sightings)
    expected = holds(tree, {name: cells(one) for name, one in seen.items()}, cells(strangers), cells(searched))
    assert found == merge((Fraction(cell), Fraction(cell + 1)) for cell in expected)


def told(text: str, known: tuple[str, ...] | None = PEOPLE) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read_questions([text], known)
    assert error.value.exit_code == 2
    return error.value.faults


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("alice bob", 7, "expected and, or, within or the end; a name with spaces needs quotes"),
        ("alice and", 10, "expected a name, not, alone or ("),
        ("", 1, "expected a name, not, alone or ("),
        ("(alice or bob", 14, "expected and, or, within or )"),
        ("alice)", 6, "expected and, or, within or the end"),
        ("'alice and bob", 1, "this quote is not closed"),
        ("alice within 10 of bob", 14, "expected a time as 10s, 2min or 1h"),
        ("alice within 10s bob", 18, "expected of"),
        ("alice and or bob", 11, "expected a name, not, alone or (; a person of the name 'or' needs quotes"),
        ("alone(alice and bob)", 13, "expected ); alone takes one person"),
        ("alice and bop", 11, "no person 'bop'; did you mean 'bob'?"),
        ("zoe or alice", 1, "no person 'zoe'; there are: 'alice', 'bob', 'carol'"),
    ],
)
def test_a_wrong_expression_is_told_with_its_column(text: str, column: int, said: str) -> None:
    first, shown, caret = told(text)
    assert first.startswith(f"--where: column {column}: ")
    assert first.endswith(f": {said}")
    assert shown == f"  {text}"
    assert caret == " " * (column + 1) + "^"


def test_the_caret_stands_below_wide_characters() -> None:
    _, shown, caret = told("世界 and and", None)
    assert shown == "  世界 and and"
    assert caret == " " * (2 + 4 + 5) + "^"  # two characters of two columns, then " and "


def test_names_that_need_quotes() -> None:
    known = ("Lin-Manuel Miranda", "O'Brien", "not", 'the "Rock"', "and")
    text = "'Lin-Manuel Miranda' and O'Brien or 'O''Brien' and \"not\" or \"the \"\"Rock\"\"\" and 'and'"
    (question,) = read_questions([text], known)
    assert question.persons == ("Lin-Manuel Miranda", "O'Brien", "not", 'the "Rock"', "and")


def test_two_persons_that_differ_in_case_are_two() -> None:
    (question,) = read_questions(["Ann or ann"], ("ann", "Ann"))
    assert question.persons == ("Ann", "ann")
    assert told("ANN", ("ann", "Ann"))[0].startswith("--where: column 1: no person 'ANN'")


def test_all_faults_are_told_together_and_an_expression_counts_once() -> None:
    with pytest.raises(ConfigError) as error:
        read_questions(["alice and", "bop", "alice"], PEOPLE)
    assert [line for line in error.value.faults if line.startswith("--where")] == [
        "--where: column 10: expected a name, not, alone or (",
        "--where: column 1: no person 'bop'; did you mean 'bob'?",
    ]
    assert [one.label for one in read_questions(["alice  and\nbob", "alice and bob"], PEOPLE)] == ["alice and bob"]


@pytest.mark.parametrize("text", ["not " * 240 + "alice", "(" * 480 + "alice" + ")" * 480, "alice" + " and bob" * 120])
def test_long_expressions_are_evaluated(text: str) -> None:
    assert moments(text)


def test_an_expression_has_a_largest_length() -> None:
    assert told("alice or " * 200 + "bob") == ["--where: an expression may have 1000 characters, and one has 1803"]


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_told(text: str) -> None:
    try:
        question = parse_question(text)
    except ConfigError as error:
        assert len(error.faults) == 3
        assert all(line.isprintable() for line in error.faults)
    else:
        assert question.label
