"""Write HTML pages that open from a disk and load nothing: no network, no other file, no foreign script.

`people_page` and the review call `write_page`. A page is a template with one style and one script: `name.html`,
`name.css` and `name.js` in a package. A long script is several files, which are joined. All pages begin with the
`head.html` and `page.js` beside this module. Data is inserted as JSON with
`<`, `>` and `&` escaped, and the script writes it as text only. The content security policy allows that script and
style, by their digests, and embedded pictures.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from fastface.files import atomic_path
from fastface.names import valid_text

_MARKUP = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_POLICY = (
    "default-src 'none'; img-src data:; {media}style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def write_page(
    path: Path, package: str, name: str, *, scripts: Sequence[str] = (), has_media: bool = False, **parts: str
) -> None:
    """Write a page atomically, readable for its owner only.

    Args:
        path: The page.
        package: Package of template, style and script.
        name: Their name without the suffix.
        scripts: Names of further scripts of the package, which follow the first.
        has_media: Whether the page may play videos beside it, or on the same disk or server.
        parts: Values for the template, besides `head`, `style` and `script`.

    Raises:
        SpaceError: No space is left.
    """
    own, shared = files(package), files(__package__)
    code = [shared.joinpath("page.js"), *(own.joinpath(f"{one}.js") for one in (name, *scripts))]
    parts_of_page = [shared.joinpath("head.html"), own.joinpath(f"{name}.html"), own.joinpath(f"{name}.css"), *code]
    head, template, style, *pieces = (part.read_text(encoding="utf-8") for part in parts_of_page)
    script = "\n".join(pieces)
    media = "media-src 'self' file:; " if has_media else ""
    policy = _POLICY.format(style=_digest(style), script=_digest(script), media=media)
    head = Template(head).substitute(policy=policy)
    page = Template(template).substitute(head=head, style=style, script=script, **parts)
    with atomic_path(path, private=True) as part:
        part.write_text(page, encoding="utf-8", newline="\n")


def shown_text(text: str) -> str:
    r"""Return valid text in which an invisible or direction-changing character is shown as `\u202e`."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", valid_text(text))


def to_json(value: object) -> str:
    """Return JSON in ASCII without HTML characters, so that it cannot end its element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_MARKUP)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
