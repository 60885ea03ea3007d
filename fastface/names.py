"""Text that users chose (labels, file names) as names of files and as valid text. Pure: no I/O."""

import hashlib
import re
from collections.abc import Collection, Sequence

_FORBIDDEN = frozenset('/\\:*?"<>|%')
"""Separators, what Windows forbids, and `%`, which encoders read as a frame number."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that are devices on Windows, where an output folder may be read."""
_MARKED = re.compile(r"-[0-9a-f]{8}")
_MARK_BYTES = 9
_SURROGATE = re.compile("[\ud800-\udfff]")
_JOINERS = "\u200c\u200d"
_LONE_JOINER = re.compile(rf"(?<![^\x00-\x7f{_JOINERS}])[{_JOINERS}]|[{_JOINERS}](?![^\x00-\x7f{_JOINERS}])")
"""Zero-width joiners that do not stand between two characters beyond ASCII, as those of emoji and of Persian do."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_name(text: str, max_bytes: int = 100) -> str:
    """One component of a path that stays where it is put and that every tool can open.

    The result has no separator, no character that is invisible or not valid UTF-8, begins with none of `. - ~` or a
    space, is no reserved name, and is at most `max_bytes` long in UTF-8. Text that is all of this already is returned
    as it is. Other text gets `_` for each bad character and `-` with eight hexadecimal digits of its SHA-256 at the
    end, so different texts have different names; a text that ends like that by itself is marked too.

    Args:
        text: Any string; bytes that were no UTF-8 may stand in it as surrogates, as `os.fsdecode` leaves them.
        max_bytes: Longest result in bytes, at least 16.
    """
    kept = _without_forbidden(text)
    if kept == text and kept and len(kept.encode()) <= max_bytes and not _MARKED.fullmatch(kept[-_MARK_BYTES:]):
        return kept
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    stem = kept.encode()[: max_bytes - _MARK_BYTES].decode(errors="ignore").rstrip(f". {_JOINERS}")
    return f"{stem or 'unnamed'}-{digest[: _MARK_BYTES - 1]}"


def label_name(label: str, labels: Collection[str] = ()) -> str:
    """`safe_name` of a person, without a digest for a full stop at the end, as in "Robert Downey Jr.".

    Args:
        label: The person.
        labels: All persons beside whose files these lie: a person with the same name without the full stop keeps it.
    """
    plain = label.removesuffix(".")
    return plain if safe_name(plain) == plain and plain not in labels else safe_name(label)


def file_name(text: str, max_bytes: int = 100) -> str:
    """`safe_name` without a digest where the text is merely cleaned; two texts may give one name.

    For callers that tell equal names apart themselves.
    """
    kept = _without_forbidden(text)
    return kept if kept and len(kept.encode()) <= max_bytes else safe_name(text, max_bytes)


def _without_forbidden(text: str) -> str:
    """The text with `_` for each forbidden character, without what may not stand at an end."""
    kept = text
    if not is_shown(text) or not _FORBIDDEN.isdisjoint(text):
        kept = "".join("_" if character in _FORBIDDEN else character for character in clean_text(text))
    kept = kept.lstrip(".-~ ").rstrip(". ")
    return f"_{kept}" if _RESERVED.fullmatch(kept) else kept


def valid_text(text: str) -> str:
    r"""The text as UTF-8 can hold it: a byte that was no UTF-8 reads `\xe9`, any other lone surrogate `\ud83d`."""
    return _SURROGATE.sub(_escape, text)


def text_cell(text: str) -> str:
    """The text as a cell of a table: valid, and nothing that a spreadsheet would take for a formula."""
    valid = valid_text(text)
    return f"'{valid}" if valid.startswith(_FORMULA_STARTS) else valid


def is_shown(text: str) -> bool:
    """Return whether all characters are visible, or join two visible ones beyond ASCII, as in a family of emoji."""
    return text.isprintable() or clean_text(text) == text.strip()


def clean_text(text: str) -> str:
    """A name as a person wrote it, on one line: what cannot be shown is `_`, and no space stands at an end."""
    if text.isprintable():
        return text.strip()
    shown = "".join(c if c.isprintable() or c in _JOINERS else "_" for c in text)
    return _LONE_JOINER.sub("_", shown).strip()


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def pluralize(count: int, noun: str, plural: str = "") -> str:
    """`1 video`, `2 videos`; with a plural that is not regular, `2 near misses`."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"


def shorten_lines(lines: Sequence[str], most: int) -> list[str]:
    """The first lines, and how many more there are."""
    return [*lines[:most], *([f"and {len(lines) - most} more"] if len(lines) > most else [])]
