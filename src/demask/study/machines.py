"""Networks take a study's place of people: a plan is rehearsed on the real pictures before anybody is paid.

Every answer lies in a database of its own that takes no person, and everything made from it says so. A machine
gives the same answer each time, so agreement and repeats are perfect and intervals tell of faces only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from demask.errors import InputError, WeightsError
from demask.photo.decode import read_photo
from demask.study.answering import Answer
from demask.study.blocks import (
    EXPRESSIONS,
    TRUTH,
    Block,
    ExpressionBlock,
    MushraBlock,
    PairBlock,
    RatingBlock,
    RealOrRestoredBlock,
    SamePersonBlock,
)
from demask.study.folder import StudyFolder
from demask.study.store import Store
from demask.study.trials import Trial
from demask.types import Floats32, ImageU8

SAME_PERSON = 0.38
"""Cosine of two faces above which they count as one person: midway between 0.73 of one and 0.03 of two."""

WORST_LPIPS = 0.5
"""An LPIPS of so much is the lowest rating, 0 the highest."""

Score = Callable[[ImageU8], Floats32]


class Judge(Protocol):
    """Answers trials of some kinds of blocks."""

    @property
    def name(self) -> str:
        """Of the network, for the report."""
        ...

    def judges(self, block: Block) -> bool:
        """Whether it can answer a block."""
        ...

    def __call__(self, block: Block, trial: Trial, show: Show) -> str | None:
        """The answer, or None where the pictures give none, such as a face that is not found."""
        ...


Show = Callable[[str, str], ImageU8]
"""The picture of a (condition, face), uint8 RGB [H, W, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """Rates and prefers by how near a picture is to its truth.

    Attributes:
        distance: Of picture and truth, 0 = the same.
        name: Of the distance.
    """

    distance: Callable[[ImageU8, ImageU8], float]
    name: str = "LPIPS to the truth"

    def judges(self, block: Block) -> bool:
        """Ratings, pairs and screens of several."""
        return isinstance(block, RatingBlock | MushraBlock | PairBlock)

    def __call__(self, block: Block, trial: Trial, show: Show) -> str | None:
        """The rating that a distance comes to, or the nearer of two."""
        far = [self.distance(show(condition, face), show(TRUTH, face)) for condition, face in trial.pictures]
        if isinstance(block, PairBlock):
            return "first" if far[0] <= far[1] else "second"
        assert isinstance(block, RatingBlock | MushraBlock)
        part = 1 - min(1.0, far[0] / WORST_LPIPS)
        return str(block.lowest + round(part * (block.points - block.lowest)))


@dataclass(frozen=True, kw_only=True, slots=True)
class SamePerson:
    """Tells one person from two by face embeddings.

    Attributes:
        embed: Unit vector of the face in a picture; None where no face is found.
        name: Of the network.
    """

    embed: Callable[[ImageU8], Floats32 | None]
    name: str = "face embeddings"

    def judges(self, block: Block) -> bool:
        """Same person or not."""
        return isinstance(block, SamePersonBlock)

    def __call__(self, block: Block, trial: Trial, show: Show) -> str | None:
        """By the cosine of the two."""
        one, two = (self.embed(show(condition, face)) for condition, face in trial.pictures)
        if one is None or two is None:
            return None
        return "same" if float(one @ two) > SAME_PERSON else "different"


@dataclass(frozen=True, kw_only=True, slots=True)
class Realism:
    """Tells real from restored by a classifier.

    Attributes:
        score: A picture's score, [1]; above 0 = real.
        name: Of the network.
    """

    score: Score
    name: str

    def judges(self, block: Block) -> bool:
        """Real or restored, in both designs."""
        return isinstance(block, RealOrRestoredBlock)

    def __call__(self, block: Block, trial: Trial, show: Show) -> str | None:
        """The more real of two, or whether one is above 0."""
        scores = [float(self.score(show(condition, face))[0]) for condition, face in trial.pictures]
        if len(scores) == 2:
            return "first" if scores[0] >= scores[1] else "second"
        return "real" if scores[0] > 0 else "restored"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """Names the expression by a classifier.

    Attributes:
        score: Scores in the order of `blocks.EXPRESSIONS`, [7].
        name: Of the network.
    """

    score: Score
    name: str

    def judges(self, block: Block) -> bool:
        """Expressions."""
        return isinstance(block, ExpressionBlock)

    def __call__(self, block: Block, trial: Trial, show: Show) -> str | None:
        """The likeliest of those that the block offers."""
        assert isinstance(block, ExpressionBlock)
        scores = dict(zip(EXPRESSIONS, self.score(show(trial.first, trial.face)), strict=True))
        return max(block.expressions, key=lambda name: float(scores[name]))


def shipped_judges() -> list[Judge]:
    """The judges whose networks are here: LPIPS and face embeddings."""
    from demask.evaluation.metrics.likeness import Identity
    from demask.evaluation.metrics.networks import open_networks

    networks = open_networks(["lpips", "identity"])
    judges: list[Judge] = []
    if "lpips" in networks.distances:
        judges.append(Likeness(distance=networks.distances["lpips"]))
    identity, find = networks.by_points.get("identity"), networks.find_points
    if isinstance(identity, Identity) and find is not None:

        def embed(picture: ImageU8) -> Floats32 | None:
            points = find(picture)
            return None if points is None else identity.embed(picture, points)

        judges.append(SamePerson(embed=embed))
    return judges


def network_score(path: Path, num: int) -> Score:
    """Scores by an ONNX file: one input `crops` uint8 [N, H, W, 3] RGB, its first output float [N, num].

    Raises:
        WeightsError: The file is missing or has another contract.
    """
    from demask.weights.sessions import open_session

    session = open_session(path)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].name != "crops" or inputs[0].type != "tensor(uint8)":
        raise WeightsError(
            f"{path} takes {', '.join(node.name for node in inputs)}; a judge needs one input crops, uint8"
        )
    wanted = [side for side in inputs[0].shape[1:3] if isinstance(side, int)]

    def score(picture: ImageU8) -> Floats32:
        if len(wanted) == 2:
            picture = np.asarray(cv2.resize(picture, (wanted[1], wanted[0]), interpolation=cv2.INTER_AREA))
        found = np.asarray(session.run(None, {"crops": picture[None]})[0], np.float32).reshape(-1)
        if len(found) != num:
            raise WeightsError(f"{path} gives {len(found)} scores for a picture; this judge needs {num}")
        return found

    return score


def judge(folder: StudyFolder, store: Store, judges: Sequence[Judge], *, people: int) -> dict[str, str]:
    """Let machines answer the sessions of so many places.

    Args:
        folder: Pictures.
        store: A database made for machines.
        judges: The first that can answer a block does.
        people: How many sessions.

    Returns:
        Block to judge, for the blocks that have one.

    Raises:
        InputError: No judge can answer any block, or a picture cannot be read.
    """
    chosen = {
        block.name: next((one for one in judges if one.judges(block)), None) for block in folder.plan.blocks
    }
    able: Mapping[str, Judge] = {name: one for name, one in chosen.items() if one is not None}
    if not able:
        raise InputError("no machine here can answer a block of this plan; name networks, see --help")

    @lru_cache(maxsize=256)
    def show(condition: str, face: str) -> ImageU8:
        return read_photo(folder.files[folder.ids[condition, face]]).pixels

    @cache
    def said(block: str, first: str, face: str, second: str, second_face: str) -> str | None:
        trial = Trial(
            slot=0, position=0, block=block, role="main", face=face, first=first, second=second,
            second_face=second_face,
        )  # fmt: skip
        return able[block](folder.plan.block(block), trial, show)

    for _ in range(people):
        token = store.enrol(folder.plan.languages[0], simulated=True)
        store.consent(token)
        answers = []
        for trial in store.session(token).trials:
            if trial.block not in able:
                continue
            value = said(trial.block, trial.first, trial.face, trial.second, trial.second_face)
            if trial.role == "check":
                value = trial.expected
            if value is not None:
                answers.append(Answer(position=trial.position, value=value, reaction_ms=0.0))
        store.answer_all(token, answers)
        store.finish(token)
    return {name: one.name for name, one in able.items()}
