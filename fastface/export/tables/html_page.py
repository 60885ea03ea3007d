"""Pages that open from a disk and ask for nothing: no network, no other file, no script but their own.

A page is a template with one style and one script, which stand beside it in a package as `name.html`, `name.css` and
`name.js`. Data goes in as JSON with `<`, `>` and `&` escaped, and the script writes it as text only. The content
security policy lets that one script and that one style run, by their digests, and pictures that stand in the page, and
nothing else.
"""

import base64
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from fastface.files import atomic_path
from fastface.names import valid_text

_MARKUP = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def write_page(path: Path, package: str, name: str, **parts: str) -> None:
    """Writes a page: whole or not at all, for its owner's eyes only.

    Args:
        path: The page.
        package: Where template, style and script lie.
        name: Their name without the suffix.
        parts: What goes into the template, beside `policy`, `style` and `script`.

    Raises:
        SpaceError: No space is left.
    """
    template, style, script = (
        files(package).joinpath(f"{name}.{suffix}").read_text(encoding="utf-8") for suffix in ("html", "css", "js")
    )
    policy = _POLICY.format(style=_digest(style), script=_digest(script))
    page = Template(template).substitute(policy=policy, style=style, script=script, **parts)
    with atomic_path(path, private=True) as part:
        part.write_text(page, encoding="utf-8", newline="\n")


def shown_text(text: str) -> str:
    r"""Valid text in which a sign that is not seen, or that turns what follows around, reads `\u202e`."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", valid_text(text))


def to_json(value: object) -> str:
    """JSON in ASCII in which no sign of HTML stands, so that it cannot end its element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_MARKUP)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
