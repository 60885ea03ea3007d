"""Parse and evaluate expressions over persons, as `alice and not bob`. Pure: no I/O.

`moments` evaluates them on the findings of a video. docs/questions.md explains the language to users. An expression
stands for a set of moments: intervals of one video. `and`, `or` and `not` are operations on these sets; `not` keeps to
the searched part of the video.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from functools import cache, reduce
from typing import TYPE_CHECKING

from fastface.errors import ConfigError
from fastface.names import shorten_lines, valid_text
from fastface.timeline import Interval, intersect, merge, subtract

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

_GRAMMAR = r"""
?start: either
?either: both (_OR both)*
?both: negation (_AND negation)*
?negation: nearness | _NOT negation -> negation
?nearness: atom | atom _WITHIN DURATION _OF atom -> nearness
?atom: person | _ALONE "(" person ")" -> alone | "(" either ")"
person: NAME | QUOTED

_OR.2: /or(?![^\s()])/i
_AND.2: /and(?![^\s()])/i
_NOT.2: /not(?![^\s()])/i
_WITHIN.2: /within(?![^\s()])/i
_OF.2: /of(?![^\s()])/i
_ALONE.2: /alone(?![^\s()])/i
DURATION.2: /\d+(\.\d+)?\s*(s|min|h)(?![^\s()])/i
QUOTED: /'([^']|'')*'|"([^"]|"")*"/
NAME: /[^\s()'"][^\s()]*/
%ignore " "
"""

_EXPECTED = {
    "NAME": "a name",
    "_NOT": "not",
    "_ALONE": "alone",
    "LPAR": "(",
    "_AND": "and",
    "_OR": "or",
    "_WITHIN": "within",
    "_OF": "of",
    "RPAR": ")",
    "DURATION": "a time as 10s, 2min or 1h",
    "$END": "the end",
}
"""{terminal of the grammar: its name in messages}, in the order of messages."""

_SECONDS = {"s": 1, "min": 60, "h": 3600}
_LONGEST = 1000
"""Maximum number of characters of an expression: its evaluation then stays far below Python's recursion limit."""
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Person:
    """The moments with a person, by the name in the expression."""

    name: str
    place: int  # of the name in the expression, from 0


@dataclass(frozen=True, slots=True)
class Alone:
    """The moments with a person and no other visible face."""

    person: Person


@dataclass(frozen=True, slots=True)
class Near:
    """The parts of the moments of `one` that are at most `seconds` before or after a moment of `other`."""

    one: "Node"
    other: "Node"
    seconds: Fraction


@dataclass(frozen=True, slots=True)
class Not:
    """The searched part of the video without some moments."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    """The moments that are in all parts."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """The moments that are in any part."""

    parts: tuple["Node", ...]


Node = Person | Alone | Near | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Question:
    """A parsed expression.

    Attributes:
        label: The expression on one line: the target of its spans.
        text: The expression as messages show it; a character keeps its place.
        tree: Its meaning.
        labels: {name in the expression: label of the person}; empty before `with_labels`.
    """

    label: str
    text: str
    tree: Node
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def persons(self) -> tuple[str, ...]:
        """Labels of all persons in the expression, in order of their first names."""
        return tuple(dict.fromkeys(self.labels[person.name] for person in _list_persons(self.tree)))

    def with_labels(self, known: Collection[str], possible: Collection[str] = ()) -> "Question":
        """Return the question with a person for each name. Upper and lower case differ only if two persons do.

        Args:
            known: Labels of all persons of the search.
            possible: Labels that persons may have, and that messages do not list.

        Raises:
            ConfigError: A name is no person.
        """
        labels, faults = {}, []
        for person in _list_persons(self.tree):
            label = _find_label(person.name, {*known, *possible})
            if label is None:
                faults += _format_fault(self.text, person.place, _describe_unknown(person.name, known))
            else:
                labels[person.name] = label
        if faults:
            raise ConfigError(faults)
        return Question(self.label, self.text, self.tree, labels)


@dataclass(frozen=True, slots=True)
class Sightings:
    """What one video shows.

    Attributes:
        presence: {label: moments with the person}; persons without any may be omitted.
        others: Return the moments with a visible face that is not this person's.
        searched: The searched part of the video.
        grain: Moments and gaps that are shorter are removed, in seconds. A sample is the first frame of its period,
            not the period's start. So the samples of two persons that follow each other may overlap or leave a gap.
    """

    presence: Mapping[str, tuple[Interval, ...]]
    others: Callable[[str], tuple[Interval, ...]]
    searched: tuple[Interval, ...]
    grain: Fraction


def parse_question(text: str) -> Question:
    """Parse an expression.

    Raises:
        ConfigError: It is not in the language. The lines show the expression with a caret below the fault.
    """
    from lark.exceptions import UnexpectedInput  # noqa: PLC0415 - takes a twentieth of a second to load

    line = re.sub(r"\s", " ", text)
    shown = "".join(one if one.isprintable() else "_" for one in line)
    if len(line) > _LONGEST:
        raise ConfigError(f"--where: an expression may have {_LONGEST} characters, and one has {len(line)}")
    try:
        tree = _build(_parser().parse(line))
    except UnexpectedInput as error:
        raise ConfigError(_format_fault(shown, *_explain(line, error))) from error
    return Question(" ".join(line.split()), shown, tree)


def read_questions(
    texts: Iterable[str], known: Collection[str] | None, possible: Collection[str] = ()
) -> tuple[Question, ...]:
    """Parse expressions, each once.

    Args:
        texts: The expressions.
        known: Labels of all persons of the search; None leaves the names without a person.
        possible: See `Question.with_labels`.

    Raises:
        ConfigError: Lists the faults of all expressions.
    """
    questions, faults = [], []
    for text in dict.fromkeys(texts):
        try:
            question = parse_question(text)
            questions.append(question if known is None else question.with_labels(known, possible))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return tuple({question.label: question for question in questions}.values())


def evaluate(question: Question, seen: Sightings) -> tuple[Interval, ...]:
    """Return the moments of one video for which an expression holds, sorted and disjoint."""

    def moments(node: Node) -> tuple[Interval, ...]:
        match node:
            case Person(name):
                found = seen.presence.get(question.labels[name], ())
            case Alone(person):
                found = subtract(moments(person), seen.others(question.labels[person.name]))
            case Near(one, other, seconds):
                around = merge((start - seconds, end + seconds) for start, end in moments(other))
                found = intersect(moments(one), around)
            case Not(part):
                found = subtract(seen.searched, moments(part))
            case Both(parts):
                found = reduce(intersect, map(moments, parts))
            case Either(parts):
                found = merge(interval for part in parts for interval in moments(part))
        return tuple((start, end) for start, end in merge(found, seen.grain) if end - start >= seen.grain)

    return moments(question.tree)


@cache
def _parser() -> "Lark":
    from lark import Lark  # noqa: PLC0415

    return Lark(_GRAMMAR, parser="lalr", lexer="basic")


def _build(tree: "Tree[Token]") -> Node:
    parts = tree.children
    match tree.data:
        case "person":
            (token,) = parts
            assert isinstance(token, str)
            return Person(_unquote(token), token.start_pos or 0)
        case "alone":
            person = _build(parts[0])  # type: ignore[arg-type]
            assert isinstance(person, Person)
            return Alone(person)
        case "nearness":
            one, duration, other = parts
            return Near(_build(one), _build(other), _to_seconds(str(duration)))  # type: ignore[arg-type]
        case "negation":
            return Not(_build(parts[0]))  # type: ignore[arg-type]
        case kind:
            made = tuple(_build(part) for part in parts)  # type: ignore[arg-type]
            return Both(made) if kind == "both" else Either(made)


def _unquote(token: str) -> str:
    """Return the name that a token stands for; within quotes, a doubled quote is one."""
    mark = token[0]
    return token[1:-1].replace(2 * mark, mark) if mark in "'\"" else str(token)


def _to_seconds(duration: str) -> Fraction:
    number = duration.rstrip("shminSHMIN ")
    return Fraction(number) * _SECONDS[duration[len(number) :].strip().lower()]


def _list_persons(node: Node) -> Iterator[Person]:
    match node:
        case Person():
            yield node
        case Alone(person):
            yield person
        case Near(one, other):
            yield from _list_persons(one)
            yield from _list_persons(other)
        case Not(part):
            yield from _list_persons(part)
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _list_persons(part)


def _find_label(name: str, known: Collection[str]) -> str | None:
    """Return the person with a name: written exactly so, or else the only one in other upper and lower case."""
    if name in known:
        return name
    alike = [label for label in known if _fold(label) == _fold(name)]
    return alike[0] if len(alike) == 1 else None


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _describe_unknown(name: str, known: Collection[str]) -> str:
    folded = {_fold(label): label for label in sorted(known, reverse=True)}
    near = [repr(valid_text(folded[one])) for one in get_close_matches(_fold(name), folded, n=3)]
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"no person {valid_text(name)!r}{meant or _list_known(known)}"


def _list_known(known: Collection[str]) -> str:
    return f"; there are: {', '.join(shorten_lines([repr(valid_text(one)) for one in sorted(known)], _MOST_NAMED))}"


def _explain(line: str, error: "UnexpectedInput") -> tuple[int, str]:
    """Return the place of a fault in an expression, and the fault in words."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415

    if isinstance(error, UnexpectedCharacters):
        return error.pos_in_stream or 0, "this quote is not closed"
    assert isinstance(error, UnexpectedToken)
    token = error.token
    is_end = token.type == "$END"
    place = len(line.rstrip()) if is_end else token.start_pos or 0
    accepted = _list_accepted(line)
    words = [word for terminal, word in _EXPECTED.items() if terminal in accepted]
    expected = " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    hint = ""
    if accepted == {"RPAR"} and token.type in ("_AND", "_OR"):
        hint = "; alone takes one person"
    elif token.type in ("NAME", "QUOTED") and "$END" in accepted:
        hint = "; a name with spaces needs quotes"
    elif token.type.startswith("_") and "NAME" in accepted:
        hint = f"; a person of the name {str(token)!r} needs quotes"
    return place, f"expected {expected}{hint}"


def _list_accepted(line: str) -> set[str]:
    """Return the terminals that may stand where the first token of an expression does not fit.

    The error itself has fewer: the parser has already closed what the wrong token might follow.
    """
    from lark.exceptions import UnexpectedInput  # noqa: PLC0415

    parser = _parser().parse_interactive(line)
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    with suppress(UnexpectedInput):
        for token in parser.lexer_thread.lex(parser.parser_state):  # type: ignore[no-untyped-call]
            parser.feed_token(token)
            accepted = parser.accepts()  # type: ignore[no-untyped-call]
    return accepted


def _format_fault(text: str, place: int, fault: str) -> list[str]:
    """Return lines that show an expression with a caret below a place."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text[:place])
    return [f"--where: column {place + 1}: {fault}", f"  {text}", f"  {' ' * (place + wide)}^"]
