"""One clip from the command line to its report."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demask.cli.outcome import NOTHING_TO_REMOVE, counted, failure
from demask.cli.streams import print_json, say, say_error
from demask.errors import DemaskError, UsageError
from demask.parallel import kill_is_ctrl_c

if TYPE_CHECKING:
    from demask.video.clip_job import ClipReport, Progress

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoJob:
    """What was asked for; the options of these names."""

    clip: Path
    output: Path | None
    preview: Path | None
    compare: Path | None
    codec: str | None
    crf: float | None
    lossless: bool
    restorer: str
    device: str
    threads: int | None
    c2pa: tuple[Path, Path] | None
    max_megapixels: float
    overwrite: bool


def run(job: VideoJob, *, json: bool, quiet: bool, fail_if_none: bool, debug: bool) -> int:
    """Do it, say what was done, and give the exit code."""
    target = job.output
    try:
        target = job.output or _beside(job)
        with kill_is_ctrl_c():
            report = _restored(job, target, quiet=quiet)
    except KeyboardInterrupt:
        if not quiet:
            say("stopped; the same command goes on with the parts that are finished")
        return 130
    except (DemaskError, OSError) as error:
        if debug:
            raise
        failed = failure(str(job.clip), error)
        if json:
            print_json({**failed.as_json(), "output": None})
        say_error(failed.error or str(error))
        return failed.exit_code
    if json:
        print_json(_as_json(job, target, report))
    if not quiet:
        for line in _lines(job, target, report):
            say(line)
    return NOTHING_TO_REMOVE if fail_if_none and report.status != "restored" else 0


def _restored(job: VideoJob, target: Path, *, quiet: bool) -> ClipReport:
    from demask.video.clip_reader import require_av

    require_av()
    from demask.video.clip_job import ClipSettings, check_job, remove_from_clip

    settings = ClipSettings(
        codec=job.codec,
        crf=job.crf,
        lossless=job.lossless,
        c2pa=job.c2pa,
        max_megapixels=job.max_megapixels,
        overwrite=job.overwrite,
    )
    _refuse_clashes(job, target)
    check_job(job.clip, target, settings)  # Before any network is loaded.
    from demask.remover import Remover
    from demask.video.video_remover import VideoRemover

    remover = VideoRemover(Remover(device=job.device, restorer=job.restorer, threads=job.threads))
    with _progress(job.clip.name, shown=not quiet) as progress:
        report = remove_from_clip(job.clip, target, remover, settings, progress=progress)
    if job.preview is not None:
        from demask.video.side_views import contact_sheet

        contact_sheet(job.clip, target, job.preview, overwrite=job.overwrite)
    if job.compare is not None:
        from demask.video.side_views import side_by_side

        side_by_side(job.clip, target, job.compare)
    return report


def _beside(job: VideoJob) -> Path:
    from demask.video.codec_choice import MUXERS

    suffix = job.clip.suffix if job.clip.suffix.lower() in MUXERS else ".mkv"
    return job.clip.with_name(f"{job.clip.stem}-demasked{suffix}")


def _refuse_clashes(job: VideoJob, target: Path) -> None:
    from demask.errors import OutputExists
    from demask.video.codec_choice import muxer_of

    files = [job.clip, target, *(path for path in (job.preview, job.compare) if path is not None)]
    if len({path.resolve() for path in files}) < len(files):
        raise UsageError("the clip, the output, --preview and --compare must be different files")
    for path in files[2:]:
        if path.exists() and not job.overwrite:
            raise OutputExists(f"{path} exists; name another output or pass --overwrite")
    if job.compare is not None:
        muxer_of(job.compare)
    if job.preview is not None and job.preview.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"--preview {job.preview}: it is a picture; name a .png or .jpg")


@contextlib.contextmanager
def _progress(title: str, *, shown: bool) -> Iterator[Progress]:
    """A bar with frames a second and the time left, where stderr is a terminal."""
    import sys

    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total, rate: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")

        def told(done: int, total: int | None, rate: float) -> None:
            left = "" if not total or not rate else f", {_clock(max(total - done, 0) / rate)} left"
            bar.update(task, completed=done, total=total, rate=f"frames, {rate:.1f}/s{left}")

        yield told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _as_json(job: VideoJob, target: Path, report: ClipReport) -> dict[str, Any]:
    return {
        "input": str(job.clip),
        "output": str(target),
        "status": report.status,
        "frames": report.num_frames,
        "restored_frames": report.num_restored,
        "resumed_frames": report.resumed_frames,
        "tracks": report.tracks,
        "streams": [stream.as_json() for stream in report.streams],
        "encoder": report.encoder,
        "notes": report.notes,
        "timings_ms": {"all": round(1000 * report.seconds, 1)},
        "error": None,
    }


def _lines(job: VideoJob, target: Path, report: ClipReport) -> Iterator[str]:
    restored = sum(track["restored"] > 0 for track in report.tracks)
    words = {
        "restored": f"{counted(restored, 'face')} restored in {report.num_restored} of {report.num_frames}"
        " frames",
        "no_face": "no face found",
        "no_covering": f"nothing to remove on {counted(len(report.tracks), 'face')}",
    }
    yield f"{job.clip}: {words[report.status]} -> {target}"
    for note in report.notes:
        yield f"{job.clip}: {note}"
