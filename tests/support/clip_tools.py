"""A film whose frames carry their number and whose sound beeps at each whole second, and reading both back."""

from pathlib import Path

import av
import numpy as np
from media_tools import ffmpeg

RATE, SECONDS, WIDTH, HEIGHT = 25, 4, 128, 64
FRAME = 1 / RATE
_BARCODE_ROWS = 16
_LOUD = 0.1


def draw_numbered_film(path: Path) -> None:
    """Draw the film without loss: frame n at n / 25 s, its number below it in 16 blocks: white, 14 bits, black."""
    bit = f"floor(X*16/{WIDTH})"
    code = f"if(eq({bit},0),1,if(eq({bit},15),0,mod(floor(N/pow(2,14-{bit})),2)))"
    texture = "128+40*sin((X+N)/7)*cos((Y-N)/5)"
    luma = f"if(gte(Y,{HEIGHT - _BARCODE_ROWS}),16+219*({code}),{texture})".replace(",", "\\,")
    beep = "if(lt(mod(t\\,1)\\,0.1)\\,0.5*sin(2*PI*1000*t)\\,0)"
    ffmpeg(
        f"-f lavfi -i color=size={WIDTH}x{HEIGHT}:rate={RATE}:duration={SECONDS},geq=lum={luma}:cb=128:cr=128 "
        f"-f lavfi -i aevalsrc={beep}:sample_rate=48000:duration={SECONDS} -c:v ffv1 -c:a pcm_s16le {{0}}",
        path,
    )


def read_number(picture: np.ndarray) -> int:
    """The number in the lowest rows of a grey picture of any size.

    Raises:
        ValueError: There is none.
    """
    row = picture[-max(2, picture.shape[0] // 8)]
    bits = [int(block.mean() > 127) for block in np.array_split(row, 16)]
    if not bits[0] or bits[15]:
        raise ValueError(f"no number: {bits}")
    return int("".join(map(str, bits[1:15])), 2)


def _seconds(time: float | None) -> float:
    assert time is not None
    return time


def frames_of(path: Path) -> list[tuple[float, int]]:
    """(seconds, number) of each frame that a player shows."""
    with av.open(str(path)) as container:
        return [
            (_seconds(frame.time), read_number(frame.to_ndarray(format="gray"))) for frame in container.decode(video=0)
        ]


def beeps_of(path: Path, stream: int = 0) -> list[float]:
    """When sound begins after silence, in seconds on the clip's clock."""
    with av.open(str(path)) as container:
        blocks = [
            (_seconds(block.time), block.to_ndarray(), block.sample_rate) for block in container.decode(audio=stream)
        ]
    loud: list[float] = []
    last = -1.0
    for begin, samples, rate in blocks:
        level = np.abs(samples.astype(np.float64) / (1 if samples.dtype.kind == "f" else 32768)).max(axis=0)
        for place in np.flatnonzero(level > _LOUD):
            time = float(begin + place / rate)
            if time - last > 0.3:
                loud.append(time)
            last = time
    return loud
