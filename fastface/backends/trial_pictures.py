"""Draw the pictures by which a precision is judged: heads and figures as in films, always the same.

`trial`, `engines` and `cuda_session` call `draw_pictures`. No photograph may be shipped. Noise or one clean head is
not enough. As in films, a detector's scores must be clear for some faces and near the threshold for others. So heads
differ in size (20 pixels to 60 % of the canvas), skin, hair, light, pose and sharpness. They stand before textured
backgrounds and get camera effects: blur, noise, JPEG.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

NUM_PICTURES = 8
"""Number of different pictures."""

_LARGEST_FACE = 192
"""Maximum side of a picture that one face fills: ArcFace takes 112."""

_Floats = npt.NDArray[np.float32]
_Pixels = npt.NDArray[np.uint8]
_Colour = tuple[float, float, float]  # blue, green, red

_OVERSAMPLING = 2
"""Factor by which heads are drawn larger, then reduced, so that edges are smooth as from a lens."""

_FRACTION_BITS = 4
"""Number of fraction bits of coordinates in OpenCV's outlines."""

_LEAST_HEAD = 20
"""Height of the smallest head in pixels."""

_SKINS: tuple[_Colour, ...] = ((140, 170, 220), (120, 150, 205), (90, 120, 175), (65, 90, 140), (45, 65, 105))
_HAIRS: tuple[_Colour, ...] = ((30, 40, 60), (20, 20, 25), (60, 100, 140), (150, 150, 155), (35, 60, 110))
_CLOTHES: tuple[_Colour, ...] = ((110, 60, 40), (60, 60, 150), (70, 110, 70), (190, 190, 185), (40, 40, 45))


@dataclass(frozen=True, slots=True)
class _Head:
    """One head with its body."""

    x: float  # centre, as a share of the canvas's width
    y: float  # centre, as a share of its height
    height: float  # as a share of the smaller side of the canvas
    look: int = 0  # index of skin, hair and clothes
    turn: float = 0.0  # to the side, -1 to 1
    tilt: float = 0.0  # degrees
    light: float = 0.0  # direction of the light in degrees
    contrast: float = 0.35  # contrast of light and shadow


@dataclass(frozen=True, slots=True)
class _Part:
    """One ellipse of a head or a body: centre and radii in heads, from the centre of the head."""

    u: float
    v: float
    radius_u: float
    radius_v: float
    colour: _Colour
    roundness: float = 2.0  # exponent of a superellipse: 2 is an ellipse, 4 nearly a box


def _body(head: _Head) -> Iterator[_Part]:
    """Yield legs, arms, trunk and neck, in the order of painting."""
    clothes, legs = _CLOTHES[head.look % 5], _CLOTHES[(head.look + 2) % 5]
    yield _Part(0.0, 0.5, 0.16, 0.25, _mix(_SKINS[head.look % 5], 0.85), 4)
    for side in (-1, 1):
        yield _Part(0.22 * side, 3.4, 0.2, 1.3, legs, 4)
        yield _Part(0.68 * side, 1.5, 0.15, 0.9, clothes, 4)
    yield _Part(0.0, 1.45, 0.62, 0.95, clothes, 4)


def _face(head: _Head) -> Iterator[_Part]:
    """Yield hair, ears, skin, eyes, brows, nose and mouth, in the order of painting."""
    skin, hair = _SKINS[head.look % 5], _HAIRS[(head.look * 3) % 5]
    shadow, side = _mix(skin, 0.83), 0.1 * head.turn
    lips = skin[0] * 0.55 + 10, skin[1] * 0.5 + 10, skin[2] * 0.75 + 15
    yield _Part(0.0, -0.09, 0.375, 0.50, hair)
    for ear in (-0.33, 0.33):
        yield _Part(ear + side / 3, 0.0, 0.05, 0.09, shadow)
    yield _Part(0.0, 0.0, 0.32, 0.43, skin)
    for eye in (-0.125, 0.125):
        yield _Part(eye + side, -0.06, 0.085, 0.055, shadow)
        yield _Part(eye + side, -0.07, 0.0625, 0.034, (225, 228, 230))
        yield _Part(eye + side * 1.15, -0.07, 0.0284, 0.032, (30, 40, 50))
        yield _Part(eye + side, -0.136, 0.08, 0.017, _mix(hair, 0.8))
    yield _Part(side * 1.6, 0.05, 0.034, 0.09, _mix(skin, 0.94))
    yield _Part(side * 1.6, 0.114, 0.051, 0.02, shadow)
    yield _Part(side * 1.2, 0.227, 0.114, 0.034, lips)
    yield _Part(side * 1.2, 0.225, 0.09, 0.006, _mix(lips, 0.6))


def _mix(colour: _Colour, share: float) -> _Colour:
    """Scale a colour's brightness."""
    return colour[0] * share, colour[1] * share, colour[2] * share


def _paint(picture: _Floats, head: _Head) -> None:
    """Paint a head and its body on a picture (H, W, 3), in place."""
    height, width = picture.shape[:2]
    size = max(head.height * min(height, width), _LEAST_HEAD * _OVERSAMPLING)
    centre = np.array([head.x * width, head.y * height])
    for part in _body(head):
        _fill(picture, part, centre, size, 0.0)
    for part in _face(head):
        _fill(picture, part, centre, size, head.tilt)
    left, top = np.maximum((centre - 0.6 * size).astype(int), 0)
    right, bottom = np.minimum((centre + 0.6 * size).astype(int), (width, height))
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    u, v = (columns - centre[0]) / size, (rows - centre[1]) / size
    falls = 2 * (u * np.cos(np.deg2rad(head.light)) + v * np.sin(np.deg2rad(head.light)))
    inside = np.clip(6 - 6 * np.sqrt((u / 0.4) ** 2 + (v / 0.58) ** 2), 0, 1)
    picture[top:bottom, left:right] *= (1 + head.contrast * inside * np.clip(falls, -1, 1))[..., None]


def _fill(picture: _Floats, part: _Part, centre: npt.NDArray[np.float64], size: float, tilt: float) -> None:
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline = np.sign(circle) * np.abs(circle) ** (2 / part.roundness) * (part.radius_u, part.radius_v)
    cosine, sine = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
    turned = (outline + np.array([part.u, part.v])) @ np.array([[cosine, sine], [-sine, cosine]])
    points = np.round((centre + size * turned) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(picture, [points], part.colour, shift=_FRACTION_BITS)


def _background(height: int, width: int, kind: int) -> _Floats:
    """Draw a background of walls, blinds or leaves: smooth, striped or rough."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / min(height, width)
    chance = np.random.default_rng(kind)
    base = np.array(((110, 120, 130), (170, 175, 180), (60, 80, 70), (90, 70, 60))[kind % 4], np.float32)
    waves = 25 * np.sin(6 * columns + kind) + 15 * np.cos(4 * rows + 2 * columns)
    if kind % 3 == 1:
        waves = waves + 30 * np.sign(np.sin(40 * columns))
    grain = cv2.resize(chance.normal(0, 1, (24, 40)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    rough = 25 if kind % 3 == 2 else 8
    return np.asarray(base + waves[..., None] + rough * grain[..., None], np.float32)


def _draw(height: int, width: int, kind: int, heads: list[_Head]) -> _Floats:
    """Draw heads before a background."""
    large = width * _OVERSAMPLING, height * _OVERSAMPLING
    picture: _Floats = np.asarray(
        cv2.resize(_background(height, width, kind), large, interpolation=cv2.INTER_LINEAR), np.float32
    )
    for head in heads:
        _paint(picture, head)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _as_filmed(picture: _Floats, kind: int) -> _Pixels:
    """Add blur, noise, dimmer light and JPEG, by turns."""
    blur, noise, gain, quality = ((0, 2, 1.0, 95), (0.8, 4, 0.9, 80), (0, 6, 0.5, 90), (1.4, 3, 1.15, 60))[kind % 4]
    if blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32)
    noisy = picture * gain + np.random.default_rng(100 + kind).normal(0, noise, picture.shape)
    _, coded = cv2.imencode(".jpg", noisy.clip(0, 255).astype(np.uint8), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _crowd(kind: int) -> list[_Head]:
    """Return the heads of one picture: one large and some small, four of middle size, or a row of figures."""
    chance = np.random.default_rng(1000 + kind)
    if kind % 4 == 0:
        places = [
            (0.3, 0.45, 0.6),
            (0.62, 0.2, 0.05),
            (0.75, 0.2, 0.07),
            (0.9, 0.2, 0.1),
            (0.7, 0.6, 0.14),
            (0.9, 0.65, 0.2),
        ]
    elif kind % 4 == 1:
        places = [(0.14, 0.3, 0.35), (0.38, 0.3, 0.3), (0.62, 0.3, 0.25), (0.86, 0.3, 0.4)]
    elif kind % 4 == 2:
        places = [(0.06 + 0.125 * n, 0.2 + 0.5 * (n % 2), 0.05 + 0.015 * n) for n in range(8)]
    else:
        places = [(0.1 + 0.16 * n, 0.2, 0.1 + 0.012 * n) for n in range(6)]
    return [
        _Head(
            *place,
            look=int(chance.integers(5)),
            turn=float(chance.uniform(-0.6, 0.6)),
            tilt=float(chance.uniform(-12, 12)),
            light=float(chance.uniform(0, 360)),
            contrast=float(chance.uniform(0.1, 0.45)),
        )
        for place in places
    ]


def draw_pictures(count: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return the pictures for networks of any kind: uint8 (count, height, width, 3) BGR.

    Small square pictures contain one face each, for networks that embed faces; all others contain several persons.
    After `NUM_PICTURES` they repeat.
    """
    has_one_face = height == width <= _LARGEST_FACE
    drawn = []
    for kind in range(min(count, NUM_PICTURES)):
        heads = _crowd(kind)
        if has_one_face:
            # Eyes and mouth lie about at the places of ArcFace's template.
            heads = [replace(heads[kind % 4], x=0.5, y=0.53, height=1.25, tilt=0.0)]
        drawn.append(_as_filmed(_draw(height, width, kind, heads), kind))
    return np.resize(np.stack(drawn), (count, height, width, 3))
