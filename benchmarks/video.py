"""How steady, how true and how fast a clip comes out: photo by photo, and with a memory.

Clips with truth: a real bare face talking, and test faces on made-up paths, each with one covering that moves
along. Everything is measured in the 256 px frame, aligned by the truth's own landmarks, in the covering's hole:

- flicker: mean |R_t - R_t-1|, 8-bit levels; the truth's own stands beside it;
- tOF, tLP: TecoGAN's (arXiv:1811.09393, sec. 4): how far optical flow and LPIPS between neighbouring frames are
from
  the truth's; tOF in pixels, tLP times 100;
- LPIPS (squeeze) to the truth; spread of identity: 1 - mean cosine to the clip's mean embedding; spread of
points: how
  far the lower face's landmarks move from frame to frame, in pixels; missed: share of the covering that still
  shows;
- CPU seconds a frame, which other work on the machine changes less than the time on the wall.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from _clips import TrueFrame, cover, frames_of, landmarks_along, moved_face, write_clip
from _common import data_folder, machine, outside_repository, parser, use_neighbouring_weights, write_report
from demask.dataset.split import split_of
from demask.evaluation.metrics.likeness import Identity
from demask.evaluation.metrics.lpips_metric import LpipsPair, open_lpips
from demask.faces.crop_networks import LandmarkFinder
from demask.geometry import Framed, apply, crop_to_frame, to_frame
from demask.remover import Remover
from demask.types import AnyArray, Hole, ImageU8, Matrix
from demask.video.face_memory import FaceMemorySettings
from demask.video.video_remover import SteadySettings, VideoRemover
from demask.weights.sessions import open_session

_LOWER = (0, 17, 61, 291, 13, 14, 152, 148, 377, 172, 397, 2)
_FIVE = ((33, 133), (362, 263), (1, 1), (61, 61), (291, 291))
_KINDS = ("surgical", "ffp2", "cloth")
FIGURES = ("flicker", "tof", "tlp", "lpips", "identity_spread", "point_spread", "missed", "cpu_s")


def true_clips(num_frames: int, num_made: int) -> Iterator[tuple[str, list[TrueFrame]]]:
    """The real clip from three places, then faces of the test split on paths."""
    path = data_folder("clips") / "vlog.mp4"
    for number, start in enumerate((300, 760, 1180)):
        frames = list(frames_of(path, start=start, count=num_frames))
        covered = cover(frames, landmarks_along(frames), seed=number, kind=_KINDS[number])
        yield f"talking_{start}", covered
    made = 0
    network = LandmarkFinder.shipped()
    looker = Remover().looker
    for photo_path in sorted(data_folder("ffhq512").glob("*")):
        if made == num_made:
            return
        if split_of(f"ffhq512/{photo_path.stem}") != "test":
            continue
        photo = cv2.imread(str(photo_path))
        if photo is None:
            continue
        photo = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
        faces = looker(photo).faces
        if len(faces) != 1 or faces[0].covered is not False or faces[0].framed is None:
            continue
        matrix = faces[0].framed.matrix
        inverse = cv2.invertAffineTransform(matrix)
        still = apply(inverse, network(faces[0].framed.crop[None])[0])
        frames, places = moved_face(photo, still, seed=made, count=num_frames)
        yield f"made_{photo_path.stem}", cover(frames, places, seed=10 + made, kind=_KINDS[made % 3])
        made += 1


def compressed(frames: list[TrueFrame], folder: Path) -> list[TrueFrame]:
    """The same as a camera would hand them over: H.264 at CRF 20, covering and all."""
    path = write_clip(folder / "masked.mp4", [frame.masked for frame in frames], crf=20)
    seen = frames_of(path)
    return [replace(frame, masked=masked) for frame, masked in zip(frames, seen, strict=True)]


def photo_by_photo(remover: Remover) -> Callable[[ImageU8, float], ImageU8]:
    """Every frame as a photo of its own."""
    return lambda pixels, time_s: remover(pixels).photo


def with_memory(remover: Remover, settings: SteadySettings) -> Callable[[ImageU8, float], ImageU8]:
    """As `demask video` does it."""
    video = VideoRemover(remover, settings)
    return lambda pixels, time_s: video.frame(pixels, time_s).photo


class Judge:
    """Measures one clip of outputs against its truth."""

    def __init__(self) -> None:
        self._lpips: LpipsPair = open_lpips("squeeze")
        self._identity = Identity(open_session("mobileface"))
        self._landmarks = LandmarkFinder.shipped()

    def __call__(self, truth: list[TrueFrame], outputs: list[ImageU8]) -> dict[str, float]:
        """All figures but the time."""
        places = [_aligned(frame) for frame in truth]
        bare = [crop_to_frame(frame.bare, place)[0] for frame, place in zip(truth, places, strict=True)]
        crops = [crop_to_frame(output, place)[0] for output, place in zip(outputs, places, strict=True)]
        holes = [_hole(frame, place) for frame, place in zip(truth, places, strict=True)]
        rows = []
        for now in range(1, len(crops)):
            both = holes[now] & holes[now - 1]
            flow = _flow(crops[now - 1], crops[now]) - _flow(bare[now - 1], bare[now])
            there = self._lpips(crops[now - 1], crops[now]) - self._lpips(bare[now - 1], bare[now])
            rows.append(
                (
                    _change(crops[now - 1], crops[now], both),
                    _change(bare[now - 1], bare[now], both),
                    float(np.linalg.norm(flow, axis=2)[both].mean()),
                    100 * abs(there),
                )
            )
        flicker, own, tof, tlp = np.mean(rows, axis=0)
        some = range(0, len(crops), 3)
        return {
            "flicker": flicker,
            "flicker_of_truth": own,
            "tof": tof,
            "tlp": tlp,
            "lpips": float(np.mean([self._lpips(crops[k], bare[k]) for k in some])),
            "identity_spread": self._identity_spread(crops),
            "point_spread": self._point_spread(crops),
            "missed": float(np.mean([_left(*pair) for pair in zip(truth, outputs, strict=True)])),
        }

    def _identity_spread(self, crops: list[ImageU8]) -> float:
        points = np.array([(90, 92), (166, 92), (128, 136), (97, 176), (159, 176)], np.float32)
        vectors = np.stack([self._identity.embed(crop, points) for crop in crops])
        mean = vectors.mean(0) / np.linalg.norm(vectors.mean(0))
        return float(1 - (vectors @ mean).mean())

    def _point_spread(self, crops: list[ImageU8]) -> float:
        points = self._landmarks(np.stack(crops))[:, list(_LOWER), :2]
        return float(np.linalg.norm(np.diff(points, axis=0), axis=2).mean())


def _aligned(frame: TrueFrame) -> Matrix:
    five = np.stack([frame.landmarks[list(pair), :2].mean(0) for pair in _FIVE]).astype(np.float32)
    return to_frame(five)


def _hole(frame: TrueFrame, place: Matrix) -> Hole:
    picture = np.repeat(frame.hole[..., None].astype(np.uint8) * 255, 3, axis=2)
    return Framed.cut(picture, place).crop[..., 0] > 127


def _change(before: ImageU8, now: ImageU8, where: Hole) -> float:
    return float(np.abs(now.astype(np.int16) - before)[where].mean())


def _flow(before: ImageU8, now: ImageU8) -> AnyArray:
    greys = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (before, now)]
    return cv2.calcOpticalFlowFarneback(greys[0], greys[1], None, 0.5, 3, 15, 3, 5, 1.2, 0)


def _left(frame: TrueFrame, output: ImageU8) -> float:
    """Share of the covering's pixels that still show it: as they came, and unlike the truth."""
    same = np.abs(output.astype(np.int16) - frame.masked).max(axis=2) <= 2
    unlike = np.abs(frame.bare.astype(np.int16) - frame.masked).max(axis=2) > 30
    inside = frame.hole & unlike
    return float((same & inside).sum() / max(inside.sum(), 1))


VARIANTS: dict[str, SteadySettings] = {
    "memory": SteadySettings(),
    "no bending": SteadySettings(memory=FaceMemorySettings(bends=False)),
    "looks in every frame": SteadySettings(look_every=1),
    "finds in every frame": SteadySettings(find_every=1),
    "wide keyframes": SteadySettings(memory=FaceMemorySettings(turn_step=0.3)),
    "narrow keyframes": SteadySettings(memory=FaceMemorySettings(turn_step=0.08)),
}


def main() -> None:
    """Measure and write."""
    options = parser(__doc__)
    options.add_argument("--frames", type=int, default=45, help="of each clip")
    options.add_argument("--made", type=int, default=3, help="clips of test faces on paths")
    options.add_argument("--clips", type=int, default=99, help="at most so many")
    options.add_argument("--variants", nargs="*", default=["memory"], choices=list(VARIANTS))
    options.add_argument("--sheets", type=Path, required=True, help="folder for sheets and kept baselines")
    asked = options.parse_args()
    use_neighbouring_weights()
    folder = outside_repository(asked.sheets)
    remover, judge = Remover(threads=asked.threads), Judge()
    report: dict[str, Any] = {"machine": machine(), "frames": asked.frames, "clips": {}}
    for number, (name, made) in enumerate(true_clips(asked.frames, asked.made)):
        if number == asked.clips:
            break
        truth = compressed(made, folder)
        entry = report["clips"][name] = {}
        rows = [[frame.bare for frame in truth], [frame.masked for frame in truth]]
        for system in ("photo by photo", *asked.variants):
            outputs, spent_s = _outputs(system, remover, truth, folder / f"{name}_{asked.frames}.npz")
            rows.append(outputs)
            entry[system] = judge(truth, outputs) | {"cpu_s": spent_s / len(truth)}
            print(name, system, {key: round(value, 4) for key, value in entry[system].items()}, flush=True)
        _sheet(folder / f"{name}.png", rows, truth)
    clips = list(report["clips"].values())
    report["mean"] = {
        system: {key: float(np.mean([clip[system][key] for clip in clips])) for key in figures}
        for system, figures in clips[0].items()
    }
    write_report(asked.out, report, table=_as_markdown(report))


def _outputs(system: str, remover: Remover, truth: list[TrueFrame], kept: Path) -> tuple[list[ImageU8], float]:
    """What a system makes of a clip, and its CPU seconds; photo by photo only once for all variants."""
    by_photo = system == "photo by photo"
    if by_photo and kept.exists():
        with np.load(kept) as arrays:
            return list(arrays["outputs"]), float(arrays["spent_s"])
    restore = photo_by_photo(remover) if by_photo else with_memory(remover, VARIANTS[system])
    began = time.process_time()
    outputs = [restore(frame.masked, index / 30) for index, frame in enumerate(truth)]
    spent_s = time.process_time() - began
    if by_photo:
        np.savez(kept, outputs=np.stack(outputs), spent_s=spent_s)
    return outputs, spent_s


def _sheet(path: Path, rows: list[list[ImageU8]], truth: list[TrueFrame]) -> None:
    """Truth, covered, photo by photo, with memory: ten frames."""
    chosen = np.linspace(0, len(truth) - 1, 10).astype(int)
    places = [_aligned(frame) for frame in truth]
    drawn = [np.hstack([crop_to_frame(row[k], places[k])[0] for k in chosen]) for row in rows]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(drawn), cv2.COLOR_RGB2BGR))


def _as_markdown(report: dict[str, Any]) -> str:
    lines = ["| clip | system | " + " | ".join(FIGURES) + " |", "|---|---|" + "---|" * len(FIGURES)]
    for name, entry in [*report["clips"].items(), ("**mean**", report["mean"])]:
        for system, figures in entry.items():
            shown = " | ".join(f"{figures[key]:.4g}" for key in FIGURES)
            lines.append(f"| {name} | {system} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
