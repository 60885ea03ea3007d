"""What ffmpeg is told for each way of cutting.

ffmpeg keeps the input's own timestamps (`-copyts`), so that cuts are made at the pts of the plan: a seek need only land
somewhere before, whatever the container's index is worth, and no time passes through a frame rate.
"""

from fractions import Fraction
from pathlib import Path

from fastface.export.clip_canvas import fit_filter
from fastface.export.counting import CountedCut
from fastface.export.cutting import CutPlan
from fastface.export.ffmpeg import READ_FILES_ONLY, literal_file
from fastface.types import Size, VideoInfo

__all__ = ["copy_arguments", "counted_arguments", "precise_arguments"]

_UNKNOWN_REORDER = Fraction(1, 5)
"""Seconds that a keyframe is decoded before it is shown, at most, where the container does not say."""

_ENCODER = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
_DEINTERLACED = "yadif=deint=interlaced"
_COUNTED_TICK = Fraction(1, 90000)
_OUTPUT = ("-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4")


def copy_arguments(info: VideoInfo, plan: CutPlan, part: Path, *, seek: bool, audio: bool) -> list[str]:
    """Packets from the plan's keyframe to the last one that is needed, times counted from there."""
    base = plan.time_base
    first_dts, last_dts = plan.copied_dts
    half_tick = base / 2
    begin = plan.copied.first_pts * base - _UNKNOWN_REORDER if first_dts is None else first_dts * base - half_tick
    end = plan.copied.end_pts * base if last_dts is None else last_dts * base + half_tick
    arguments = [*_input(info, plan, seek=seek), "-map", f"0:{plan.video_index}", "-c:v", "copy"]
    if info.codec == "hevc":
        arguments += ["-tag:v", "hvc1"]  # the tag that players of Apple ask for
    for number, (index, fits) in enumerate(plan.audio.items() if audio else ()):
        arguments += ["-map", f"0:{index}", f"-c:a:{number}", "copy" if fits else "aac"]
    for index in plan.text_subtitles:
        arguments += ["-map", f"0:{index}", "-c:s", "mov_text"]
    times = ["-ss", _seconds(begin), "-t", _seconds(end - begin), "-avoid_negative_ts", "make_zero"]
    return [*arguments, *times, *_OUTPUT, literal_file(part)]


def precise_arguments(
    info: VideoInfo, plan: CutPlan, part: Path, *, seek: bool, audio: bool, canvas: Size | None = None
) -> list[str]:
    """The frames of the plan, encoded again; the first is shown at 0, the sound keeps its distance to them."""
    base = plan.time_base
    # Half a tick before the frames, where rounding to microseconds cannot move a cut over one of them.
    begin, end = (_seconds(pts * base - base / 2) for pts in (plan.inside.first_pts, plan.inside.end_pts))
    zero = _seconds(plan.inside.first_pts * base)
    shown = [f"trim=start={begin}:end={end}", f"setpts=PTS-({zero})/TB", fit_filter(canvas)]
    if info.interlaced:
        shown.insert(0, _DEINTERLACED)
    arguments = [*_input(info, plan, seek=seek), "-map", f"0:{plan.video_index}", "-vf", ",".join(shown)]
    # Each frame once, at its own time: by itself ffmpeg fills up to a constant rate, counted in the encoder's ticks.
    arguments += [*_ENCODER, "-enc_time_base", str(base), "-fps_mode", "passthrough"]
    for index in plan.audio if audio else ():
        arguments += ["-map", f"0:{index}"]
    if audio:
        arguments += ["-af", f"atrim=start={begin}:end={end},asetpts=PTS-({zero})/TB", "-c:a", "aac", "-b:a", "192k"]
    return [*arguments, *_OUTPUT, literal_file(part)]


def counted_arguments(info: VideoInfo, cut: CountedCut, part: Path, canvas: Size | None = None) -> list[str]:
    """Frames by their number, spread evenly over the time that they take."""
    shown = [f"trim=start_frame={cut.first}:end_frame={cut.first + cut.shown.num_frames}"]
    if info.interlaced:
        shown.append(_DEINTERLACED)
    shown += [f"settb={_COUNTED_TICK}", f"setpts=N*({cut.period})/TB", fit_filter(canvas)]
    source = [*READ_FILES_ONLY, "-i", literal_file(info.path), "-map", f"0:{cut.video_index}"]
    each_once = ["-enc_time_base", str(_COUNTED_TICK), "-fps_mode", "passthrough"]
    return [*source, "-vf", ",".join(shown), *_ENCODER, *each_once, *_OUTPUT, literal_file(part)]


def _input(info: VideoInfo, plan: CutPlan, *, seek: bool) -> list[str]:
    # The demuxer is named, so that ffmpeg cannot take the file for something else than what was probed.
    arguments = ["-copyts", *READ_FILES_ONLY, "-f", plan.format_name]
    if seek:
        where = _seconds(plan.decode_pts * plan.time_base)
        arguments += ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", where]
    return [*arguments, "-i", literal_file(info.path)]


def _seconds(time: Fraction) -> str:
    return f"{float(time):.6f}"
