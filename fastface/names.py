"""Convert text of users (labels, file names) to file names and valid text. Pure: no I/O.

All code that writes names calls it. A changed rule renames the files of existing output folders.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence

_FORBIDDEN = frozenset('/\\:*?"<>|%')
"""Separators, characters forbidden by Windows, and `%`, which encoders read as a frame number."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that are devices on Windows, where an output folder may be read."""
_MARKED = re.compile(r"-[0-9a-f]{8}")
_MARK_BYTES = 9
_SURROGATE = re.compile("[\ud800-\udfff]")
_JOINERS = "\u200c\u200d"
_LONE_JOINER = re.compile(rf"(?<![^\x00-\x7f{_JOINERS}])[{_JOINERS}]|[{_JOINERS}](?![^\x00-\x7f{_JOINERS}])")
"""Zero-width joiners that are not between two characters beyond ASCII; there, emoji and Persian need them."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_name(text: str, max_bytes: int = 100) -> str:
    """Convert a text to one path component that stays in its folder and that every tool can open.

    The result has no separator, no character that is invisible or not valid UTF-8, and no `. - ~` or space at its
    start. It is no reserved name, and is at most `max_bytes` long in UTF-8. Text that already meets all this stays
    unchanged. Other text gets `_` for each bad character, and ends with `-` and eight hexadecimal digits of its
    SHA-256. So different texts have different names; a text that already has such an end is marked too.

    Args:
        text: Any string; bytes that are not UTF-8 may be surrogates, from `os.fsdecode`.
        max_bytes: Maximum length of the result in bytes, at least 16.
    """
    kept = _without_forbidden(text)
    if kept == text and kept and len(kept.encode()) <= max_bytes and not _MARKED.fullmatch(kept[-_MARK_BYTES:]):
        return kept
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    stem = kept.encode()[: max_bytes - _MARK_BYTES].decode(errors="ignore").rstrip(f". {_JOINERS}")
    return f"{stem or 'unnamed'}-{digest[: _MARK_BYTES - 1]}"


def label_name(label: str, labels: Collection[str] = ()) -> str:
    """Convert a person's label like `safe_name`, without a digest for a full stop at the end ("Robert Downey Jr.").

    Args:
        label: The person.
        labels: All persons with files in the same folder: a person with the same name without the full stop keeps it.
    """
    plain = label.removesuffix(".")
    return plain if safe_name(plain) == plain and plain not in labels else safe_name(label)


def file_name(text: str, max_bytes: int = 100) -> str:
    """Convert a text like `safe_name`, without a digest if it is only cleaned; two texts may give one name.

    For callers that distinguish equal names themselves.
    """
    kept = _without_forbidden(text)
    return kept if kept and len(kept.encode()) <= max_bytes else safe_name(text, max_bytes)


def _without_forbidden(text: str) -> str:
    """Replace each forbidden character by `_`, and remove characters that are forbidden at an end."""
    kept = text
    if not is_shown(text) or not _FORBIDDEN.isdisjoint(text):
        kept = "".join("_" if character in _FORBIDDEN else character for character in clean_text(text))
    kept = kept.lstrip(".-~ ").rstrip(". ")
    return f"_{kept}" if _RESERVED.fullmatch(kept) else kept


def format_ranges(numbers: Iterable[int], dash: str, most: int | None = None) -> str:
    """Format numbers as ranges: `1-3, 5`, or `1-3, 5, and more` if there are more than `most` ranges."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [f"{first}" if first == last else f"{first}{dash}{last}" for first, last in ranges[:most]]
    return ", ".join(shown + ["and more"] * (len(shown) < len(ranges)))


def valid_text(text: str) -> str:
    r"""Return the text as valid UTF-8: an invalid byte becomes `\xe9`, any other lone surrogate `\ud83d`."""
    return _SURROGATE.sub(_escape, text)


def text_cell(text: str) -> str:
    """Return the text as a cell of a table: valid, and never a formula in a spreadsheet."""
    valid = valid_text(text)
    return f"'{valid}" if valid.startswith(_FORMULA_STARTS) else valid


def parse_text_cell(cell: str) -> str:
    """Return the text of a cell from `text_cell`, also after a spreadsheet has saved it."""
    text = cell.strip(" ")
    return valid_text(text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text)


def is_shown(text: str) -> bool:
    """Return whether all characters are visible, or join two visible ones beyond ASCII, as in a family of emoji."""
    return text.isprintable() or clean_text(text) == text.strip()


def clean_text(text: str) -> str:
    """Clean a name that a person wrote: one line, `_` for each invisible character, no space at an end."""
    if text.isprintable():
        return text.strip()
    shown = "".join(c if c.isprintable() or c in _JOINERS else "_" for c in text)
    return _LONE_JOINER.sub("_", shown).strip()


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def pluralize(count: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun: `1 video`, `2 videos`; with an irregular plural, `2 near misses`."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"


def shorten_lines(lines: Sequence[str], most: int) -> list[str]:
    """Return the first lines, and the number of the others."""
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]
