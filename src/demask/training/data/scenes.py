"""Training scenes for the finder: labelled portraits of every size on pictures without faces.

Portraits and patches of other pictures are pasted as rectangles alike, so a rectangle's edge says
nothing. A scene is a function of its generator alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from demask.errors import ConfigError
from demask.faces.finder import PAD_GREY
from demask.training.data.augment import SCENES_DEGRADATION, SCENES_LIGHT, degrade, vary_light
from demask.training.data.decoys import beside_the_face, draw_decoy, worn_by_nobody
from demask.training.data.finder_pictures import LabelledPicture
from demask.training.data.portraits import FaceBank, View
from demask.training.data.scene_labels import Scene, Stage, after_flip, chain, moved_box
from demask.types import ImageU8, Matrix


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenesConfig:
    """What the scenes look like."""

    size_px: int = 320  # Side of a scene; a multiple of 32.
    smallest_px: float = 8.0  # Face sizes (root of the box's area) are drawn log-uniformly from here
    largest_px: float = 290.0  # to here.
    covered_fraction: float = 0.5
    empty_fraction: float = 0.12  # Scenes without any face.
    alone_fraction: float = 0.22  # Scenes with one large face.
    chip_fraction: float = 0.12  # Scenes that are one whole portrait in grey, as the runtime pads small photos.
    crowd_fraction: float = 0.12  # Scenes with many faces of about one size.
    people_fraction: float = 0.12  # Scenes that show a labelled picture of whole people, where there are any.
    decoys: float = 2.0  # Things that are no faces, on average per scene;
    drawn_decoy_fraction: float = 0.35  # of them letters, discs and hands,
    body_decoy_fraction: float = 0.2  # ears, hair, necks,
    worn_by_nobody_fraction: float = 0.05  # coverings without a face; the rest pieces of other pictures.
    pad_fraction: float = 0.2  # Scenes with a grey border, as the runtime pads to the grid.

    def __post_init__(self) -> None:
        if self.size_px % 32 or self.size_px <= 0:
            raise ConfigError(f"size_px is {self.size_px}; it must be a multiple of 32")
        if not 0 < self.smallest_px < self.largest_px:
            raise ConfigError(
                f"face sizes {self.smallest_px} to {self.largest_px} px are no range; smallest_px goes first"
            )


class Composer:
    """Makes scenes from portraits and pictures without faces."""

    def __init__(
        self,
        bank: FaceBank,
        backgrounds: Sequence[ImageU8],
        config: ScenesConfig | None = None,
        *,
        people: Sequence[LabelledPicture] = (),
    ) -> None:
        self.bank, self.backgrounds, self.people = bank, backgrounds, people
        self.config = config or ScenesConfig()

    def __call__(self, rng: np.random.Generator) -> Scene:
        """Compose one scene."""
        config = self.config
        S = config.size_px
        people_fraction = config.people_fraction if self.people else 0.0
        fractions = [
            config.empty_fraction,
            config.alone_fraction,
            config.chip_fraction,
            config.crowd_fraction,
            people_fraction,
        ]
        kind = int(np.searchsorted(np.cumsum(fractions), rng.random()))
        low, high = np.log(config.smallest_px), np.log(config.largest_px)
        stage = Stage(self._backdrop(rng), _room(rng, S, config.pad_fraction))
        if kind == 2:
            self._chip(stage, rng)
        else:
            for _ in range(int(rng.poisson(config.decoys))):
                self._decoy(stage, rng)
        if kind == 1:
            self._place(stage, rng, float(np.exp(rng.uniform(np.log(0.25 * S), high))))
        elif kind == 3:
            size = float(np.exp(rng.uniform(low, np.log(0.2 * S))))
            for _ in range(int(rng.integers(5, 16))):
                self._place(stage, rng, size * float(rng.uniform(0.75, 1.33)), tight=True)
        elif kind == 4:
            self._show_people(stage, rng)
            for _ in range(int(rng.integers(0, 3))):
                self._place(stage, rng, float(np.exp(rng.uniform(low, np.log(0.2 * S)))))
        elif kind == 5:
            sizes = np.exp(rng.uniform(low, np.log(0.5 * S), 1 + rng.poisson(4)))
            for size in -np.sort(-sizes):
                self._place(stage, rng, float(size))
        # Light and losses of the whole picture, then the border that the runtime would add.
        photo = degrade(vary_light(stage.canvas, rng, SCENES_LIGHT), rng, SCENES_DEGRADATION)
        x0, y0, x1, y1 = stage.room
        if (x0, y0, x1, y1) != (0, 0, S, S):
            bordered = np.full_like(photo, PAD_GREY)
            bordered[y0:y1, x0:x1] = photo[y0:y1, x0:x1]
            photo = bordered
        return Scene(
            photo,
            np.array(stage.boxes, np.float32).reshape(-1, 4),
            np.array(stage.points, np.float32).reshape(-1, 5, 2),
            np.array(stage.ignored, np.float32).reshape(-1, 4),
            np.array(stage.covered, bool),
        )

    def _backdrop(self, rng: np.random.Generator) -> ImageU8:
        S = self.config.size_px
        choice = rng.random()
        if choice < 0.15 or not self.backgrounds:
            # A plain or slowly changing wall, as a rule of a faint colour.
            colour = rng.uniform(0, 255) + rng.normal(0, 30, (1, 1, 3))
            corners = colour + rng.normal(0, rng.uniform(0, 60), (2, 2, 1))
            wall = cv2.resize(corners.clip(0, 255).astype(np.float32), (S, S), interpolation=cv2.INTER_LINEAR)
            noise = rng.normal(0, rng.uniform(0, 6), (S, S, 1)).astype(np.float32)
            return np.asarray(np.clip(wall + noise, 0, 255), np.uint8)
        canvas = self._clip_of_background(rng, S, S)
        if choice < 0.3:
            # A mosaic: pieces of different pictures side by side.
            for _ in range(int(rng.integers(2, 7))):
                w, h = (int(v) for v in rng.integers(S // 6, S, 2))
                x, y = int(rng.integers(0, S - w + 1)), int(rng.integers(0, S - h + 1))
                canvas[y : y + h, x : x + w] = self._clip_of_background(rng, w, h)
        elif choice < 0.4:
            canvas = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(2, 8))).astype(np.uint8)
        return canvas

    def _clip_of_background(self, rng: np.random.Generator, width: int, height: int) -> ImageU8:
        """A random part of a random background, scaled to a size."""
        picture = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
        H, W = picture.shape[:2]
        # Between a close-up and the whole picture, the shape kept where the picture allows it.
        most = min(W / width, H / height)
        ratio = most * np.exp(rng.uniform(np.log(0.3), 0))
        w, h = max(2, int(width * ratio)), max(2, int(height * ratio))
        x, y = int(rng.integers(0, W - w + 1)), int(rng.integers(0, H - h + 1))
        part = picture[y : y + h, x : x + w]
        if rng.random() < 0.5:
            part = part[:, ::-1]
        method = cv2.INTER_AREA if ratio > 1 else cv2.INTER_LINEAR
        return np.asarray(
            cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=method), np.uint8
        )

    def _decoy(self, stage: Stage, rng: np.random.Generator) -> None:
        """Paste something that is no face: a piece of another picture, a drawn thing, an ear."""
        S = self.config.size_px
        w, h = (int(v) for v in np.exp(rng.uniform(np.log(16), np.log(0.7 * S), 2)))
        drawn = self.config.drawn_decoy_fraction
        body = drawn + self.config.body_decoy_fraction
        choice = rng.random()
        if choice < drawn:
            w = h = int(np.sqrt(w * h))
            x, y = (int(v) for v in rng.integers(-10, S - 10, 2))
            tile = draw_decoy(stage.under(x, y, w, h), rng)
        elif choice < body:
            part = beside_the_face(self.bank.portraits[self.bank.pick(rng)], rng)
            if part is None:
                return
            x, y = (int(v) for v in rng.integers(-10, S - 10, 2))
            tile = np.asarray(cv2.resize(part, (w, w), interpolation=cv2.INTER_LINEAR), np.uint8)
        elif choice < body + self.config.worn_by_nobody_fraction:
            tile = worn_by_nobody(self.bank.portraits[self.bank.pick(rng)], rng)
            x, y = (int(v) for v in rng.integers(-10, S - 10, 2))
            tile = np.asarray(cv2.resize(tile, (w, w), interpolation=cv2.INTER_AREA), np.uint8)
        elif self.backgrounds:
            x, y = (int(v) for v in rng.integers(-10, S - 10, 2))
            tile = self._clip_of_background(rng, w, h)
        else:
            return
        stage.paste(tile, x, y, soft=rng.random() < 0.3)

    def _view(self, rng: np.random.Generator) -> tuple[View, bool]:
        """A portrait to show, and whether its face is covered."""
        index = self.bank.pick(rng)
        if rng.random() < self.config.covered_fraction:
            return self.bank.covered(index, int(rng.integers(self.bank.variants))), True
        return (self.bank.bare(index) if rng.random() < 0.5 else self.bank.untouched(index)), False

    def _chip(self, stage: Stage, rng: np.random.Generator) -> None:
        """One whole portrait, upright, alone in the grey of the border."""
        S = self.config.size_px
        view, covered = self._view(rng)
        photo = view.photo
        H, W = photo.shape[:2]
        scale = rng.uniform(0.35, 1.0) * S / max(H, W)
        w, h = max(1, round(W * scale)), max(1, round(H * scale))
        x, y = (S - w) // 2, (S - h) // 2
        stage.room = (x, y, x + w, y + h)
        matrix = np.array([[w / W, 0, x + 0.5 * w / W - 0.5], [0, h / H, y + 0.5 * h / H - 0.5]])
        if rng.random() < 0.5:
            photo, matrix = photo[:, ::-1], after_flip(matrix, W)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        stage.canvas[y : y + h, x : x + w] = cv2.resize(
            np.ascontiguousarray(photo), (w, h), interpolation=method
        )
        stage.label(view.box, view.points, matrix, covered=covered)

    def _show_people(self, stage: Stage, rng: np.random.Generator) -> None:
        """A labelled picture, enlarged over the whole canvas or small in it."""
        S = self.config.size_px
        picture = self.people[int(rng.integers(len(self.people)))]
        H, W = picture.photo.shape[:2]
        if rng.random() < 0.6:
            scale = S / min(H, W) * float(rng.uniform(1, 2))
        else:
            scale = S / max(H, W) * float(rng.uniform(0.5, 1))
        w, h = max(2, round(W * scale)), max(2, round(H * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        tile = np.asarray(cv2.resize(picture.photo, (w, h), interpolation=method), np.uint8)
        x, y = (int(rng.integers(min(0, S - side), max(0, S - side) + 1)) for side in (w, h))
        matrix: Matrix = np.array([[w / W, 0, x + 0.5 * w / W - 0.5], [0, h / H, y + 0.5 * h / H - 0.5]])
        if rng.random() < 0.5:
            tile, matrix = tile[:, ::-1], after_flip(matrix, W)
        stage.paste(tile, x, y, soft=False)
        for box, points in zip(picture.boxes, picture.points, strict=True):
            stage.label(box, points, matrix, covered=False, smallest_px=0.8 * self.config.smallest_px)
        stage.ignored += [moved_box(box, matrix) for box in picture.unclear]

    def _place(self, stage: Stage, rng: np.random.Generator, size_px: float, *, tight: bool = False) -> None:
        """Paste one portrait so that its face is `size_px` large, where it hides no other face."""
        view, covered = self._view(rng)
        photo = view.photo
        H, W = photo.shape[:2]
        x0, y0, x1, y1 = view.box
        scale = size_px / float(np.sqrt((x1 - x0) * (y1 - y0)))
        angle = np.deg2rad(_tilt_deg(rng))
        # Small copies are averaged first, as a camera or a resize does; the warp then only turns them.
        shrunk = min(1.0, scale * 1.15)
        w, h = max(2, round(W * shrunk)), max(2, round(H * shrunk))
        small = (
            np.asarray(cv2.resize(photo, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
            if shrunk < 1
            else photo
        )
        pre = np.array([[w / W, 0, 0.5 * w / W - 0.5], [0, h / H, 0.5 * h / H - 0.5]])
        if rng.random() < 0.5:
            small, pre = (
                np.ascontiguousarray(small[:, ::-1]),
                chain(np.array([[-1.0, 0, w - 1], [0, 1, 0]]), pre),
            )
        rest = scale / (w / W)
        linear = rest * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = np.column_stack([linear, np.zeros(2)])
        box = moved_box(view.box, chain(turn, pre))
        # What of the picture goes along: margins around the face, at most as far as the picture reaches.
        reach = (0.0, 0.25) if tight else (0.05, 1.3)
        margins = rng.uniform(*reach, 4) * size_px
        corners = np.array([(0, 0), (w - 1, 0), (w - 1, h - 1), (0, h - 1)]) @ linear.T
        low = np.maximum(box[:2] - margins[:2], np.minimum(corners.min(0), box[:2]))
        high = np.minimum(box[2:] + margins[2:], np.maximum(corners.max(0), box[2:]))
        tile_w, tile_h = (int(v) for v in np.maximum(np.ceil(high - low), 2))
        for _ in range(6):
            left, top = stage.spot(rng, box - np.tile(low, 2))
            if not stage.hides(left, top, tile_w, tile_h):
                break
        else:
            return
        local = turn.copy()
        local[:, 2] -= low
        tile = _warped(small, local, stage.under(left, top, tile_w, tile_h), rng)
        if rng.random() < 0.5:
            tile = vary_light(tile, rng, SCENES_LIGHT)
        stage.paste(tile, left, top, soft=rng.random() < 0.3)
        local[:, 2] += (left, top)
        stage.label(view.box, view.points, chain(local, pre), covered=covered)


def _room(rng: np.random.Generator, S: int, pad_fraction: float) -> tuple[int, int, int, int]:
    """The part of the scene that is photo; the rest will be grey border."""
    if rng.random() >= pad_fraction:
        return 0, 0, S, S
    lost = rng.integers(0, max(2, S // 8), 4)
    return int(lost[0]), int(lost[1]), S - int(lost[2]), S - int(lost[3])


def _tilt_deg(rng: np.random.Generator) -> float:
    choice = rng.random()
    if choice < 0.7:
        return float(rng.normal(0, 8))
    return float(rng.uniform(-30, 30) if choice < 0.92 else rng.uniform(-50, 50))


def _warped(picture: ImageU8, matrix: Matrix, under: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Turn a picture into a tile the size of `under`; where it does not reach, one of several fillings."""
    size = (under.shape[1], under.shape[0])
    choice = rng.random()
    if choice < 0.5:
        tile = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    else:
        # The canvas shows through, or a plain colour as scans and rotated pictures have it.
        tile = (
            under.copy() if choice < 0.8 else np.full_like(under, rng.integers(0, 256, 3) * rng.integers(0, 2))
        )
        cv2.warpAffine(
            picture, matrix, size, dst=tile, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
    return np.asarray(tile, dtype=np.uint8)
