"""The kinds of trials that a study is made of, one class for each kind of block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from demask.dataset.expression_labels import EXPRESSIONS as EXPRESSIONS
from demask.errors import ConfigError

TRUTH = "truth"  # The bare face as it was photographed.
MASKED = "masked"  # The same photograph with its face mask.
ANCHOR = "anchor"  # The bare face without its fine detail, as bad as a picture can be.
REFERENCE = "reference"  # The bare face, shown as such.
Texts = Mapping[str, str]  # Language code to words.

NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture on a block's first page that shows what an answer means; its face is judged by nobody.

    Attributes:
        condition: System, `truth` or `masked`.
        face: Name of the face.
        caption: What stands below it, by language, such as "this is a 1".
    """

    condition: str
    face: str
    caption: Texts


@dataclass(frozen=True, kw_only=True)
class When:
    """Who sees a block: those who gave one of these replies to a question that is asked at the start.

    Attributes:
        question: Name of the question.
        replies: Any of these.
    """

    question: str
    replies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """One more question about a picture, asked after certain answers.

    Attributes:
        after: The answers that lead to it.
        text: The question by language.
        choices: As they are stored.
        shown: The choices as people read them, by language, in the same order; default: as stored.
    """

    after: tuple[str, ...]
    text: Texts
    choices: tuple[str, ...]
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What all kinds of blocks share.

    Attributes:
        kind: Which class this is, in a plan file.
        name: Unique in the plan; lower case, as in `likability`.
        conditions: Which systems (and `truth`, `masked` where the kind shows them); empty = all systems.
        faces: Faces each person sees in this block; None = all that the block has.
        repeats: Trials shown once more, late in the block, to see how steady people are.
        checks: Attention checks: trials that say which answer to give.
        practice: Trials before the block, with feedback, on faces that are used for nothing else.
        break_every: A pause is offered after so many trials; 0 = none inside the block.
        exposure_ms: How long each picture stays; 0 = until the answer.
        same_pictures_as: Name of an earlier block whose pictures each person judges again here.
        prompt: The question by language; empty = our own wording, see `language`.
        instructions: What stands on the block's first page beside the question: Markdown, by language.
        examples: Pictures on that page.
        when: Who sees the block; None = everybody.
        follow_up: One more question after certain answers; None = none.
        order: `fixed`: one trial after the other, an answer stays; `free`: all trials of the block are open at
            once, in any order, and answers may be changed until the block is closed.
    """

    name: str
    conditions: tuple[str, ...] = ()
    faces: int | None = None
    repeats: int = 0
    checks: int = 0
    practice: int = 0
    break_every: int = 0
    exposure_ms: int = 0
    same_pictures_as: str = ""
    prompt: Texts = field(default_factory=dict)
    instructions: Texts = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    when: When | None = None
    follow_up: FollowUp | None = None
    order: Literal["fixed", "free"] = "fixed"

    kind: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(f"blocks: name is {self.name!r}; use a-z, 0-9, dot, dash, plus and underscore")
        for key in ("repeats", "checks", "practice", "break_every", "exposure_ms"):
            if getattr(self, key) < 0:
                raise ConfigError(f"blocks.{self.name}: {key} is {getattr(self, key)}; it must be 0 or more")
        if self.faces is not None and self.faces < 1:
            raise ConfigError(f"blocks.{self.name}: faces is {self.faces}; it must be 1 or more, or left out")
        if len(set(self.conditions)) < len(self.conditions):
            raise ConfigError(f"blocks.{self.name}: conditions names one twice: {', '.join(self.conditions)}")
        if self.order == "free":
            for key in ("exposure_ms", "checks", "practice", "repeats", "break_every"):
                if getattr(self, key):
                    raise ConfigError(f"blocks.{self.name}: a block of free order cannot have {key}")
            if self.follow_up:
                raise ConfigError(f"blocks.{self.name}: a block of free order cannot have follow_up")
        if self.follow_up:
            self._check_follow_up(self.follow_up)

    def _check_follow_up(self, asked: FollowUp) -> None:
        where = f"blocks.{self.name}.follow_up"
        unknown = [value for value in asked.after if value not in self.answers]
        if unknown or not asked.after:
            raise ConfigError(
                f"{where}: after names {unknown or 'nothing'}; answers are {self._some_answers()}"
            )
        if len(asked.choices) < 2:
            raise ConfigError(f"{where}: choices has {len(asked.choices)}; a question needs two or more")
        for language, shown in asked.shown.items():
            if len(shown) != len(asked.choices):
                raise ConfigError(
                    f"{where}.shown.{language} has {len(shown)} texts for {len(asked.choices)} choices"
                )

    def _some_answers(self) -> str:
        first = ", ".join(self.answers[:12])
        return first + (", ..." if len(self.answers) > 12 else "")

    @property
    def answers(self) -> tuple[str, ...]:
        """Every answer that a trial of this block can get."""
        raise NotImplementedError

    def shown(self, systems: tuple[str, ...]) -> tuple[str, ...]:
        """The conditions of this block, given the plan's systems."""
        return self.conditions or systems


@dataclass(frozen=True, kw_only=True)
class RatingBlock(Block):
    """Absolute category rating (ACR, ITU-T P.910 sec. 7.1) of one picture at a time.

    Attributes:
        scale: What is rated. `quality` gives the human-rated quality score (HQS).
        points: 5, 7 or 10 categories from 1, or 100 for a slider from 0 to 100.
        hidden_reference: The truth takes turns with the systems, unannounced (P.910's ACR-HR).
        show_masked: The masked photograph stands beside the picture.
    """

    scale: Literal["likability", "quality", "realism"]
    points: int = 5
    hidden_reference: bool = False
    show_masked: bool = False

    kind: Literal["rating"] = "rating"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points not in (5, 7, 10, 100):
            raise ConfigError(f"blocks.{self.name}: points is {self.points}; choose 5, 7, 10 or 100")

    @property
    def lowest(self) -> int:
        """The lowest rating: 1, or 0 on the slider."""
        return 0 if self.points == 100 else 1

    @property
    def answers(self) -> tuple[str, ...]:
        """Every rating, as text."""
        return tuple(str(number) for number in range(self.lowest, self.points + 1))

    def shown(self, systems: tuple[str, ...]) -> tuple[str, ...]:
        """The conditions, with the hidden reference."""
        named = super().shown(systems)
        return (*named, TRUTH) if self.hidden_reference and TRUTH not in named else named


@dataclass(frozen=True, kw_only=True)
class RealOrRestoredBlock(Block):
    """Which is real? After the test of pix2pix (arXiv:1611.07004, sec. 3.4): 1 s each, 10 practice trials.

    Attributes:
        design: `pair` shows the truth and a restored picture of one face, one after the other, and asks
            which is real; `single` shows one picture and asks whether it is real or restored.
    """

    design: Literal["pair", "single"] = "pair"
    practice: int = 10
    exposure_ms: int = 1000

    kind: Literal["real_or_restored"] = "real_or_restored"

    @property
    def answers(self) -> tuple[str, ...]:
        """Which picture is real, or what the one picture is."""
        return ("first", "second") if self.design == "pair" else ("real", "restored")


@dataclass(frozen=True, kw_only=True)
class PairBlock(Block):
    """Which of two systems' pictures of one face is better?

    Attributes:
        show_masked: The masked photograph stands above the two.
    """

    show_masked: bool = False

    kind: Literal["pair"] = "pair"

    @property
    def answers(self) -> tuple[str, ...]:
        """The picture that is preferred."""
        return ("first", "second")


@dataclass(frozen=True, kw_only=True)
class ExpressionBlock(Block):
    """Which expression does the face have? The truth comes from the labels of the pictures.

    Attributes:
        expressions: The choices offered; faces with another label, or none, are not shown.
    """

    expressions: tuple[str, ...] = EXPRESSIONS

    kind: Literal["expression"] = "expression"

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.expressions if name not in EXPRESSIONS]
        if unknown or len(self.expressions) < 2:
            raise ConfigError(
                f"blocks.{self.name}: expressions is {list(self.expressions)}; "
                f"name at least two of {', '.join(EXPRESSIONS)}"
            )

    @property
    def answers(self) -> tuple[str, ...]:
        """The expressions."""
        return self.expressions

    def shown(self, systems: tuple[str, ...]) -> tuple[str, ...]:
        """The conditions; by default masked against every system against the truth."""
        return self.conditions or (MASKED, *systems, TRUTH)


@dataclass(frozen=True, kw_only=True)
class SamePersonBlock(Block):
    """Do the two pictures show one person? A restored picture beside a truth.

    Attributes:
        reference: `same_photo`: where the person is the same, the truth of that very photograph;
            `other_photo`: another photograph of the person, so that the part above the face mask
            does not give the answer away. Needs identity labels with two photographs each.
    """

    reference: Literal["same_photo", "other_photo"] = "same_photo"

    kind: Literal["same_person"] = "same_person"

    @property
    def answers(self) -> tuple[str, ...]:
        """One person or two."""
        return ("same", "different")


@dataclass(frozen=True, kw_only=True)
class MushraBlock(Block):
    """All systems' pictures of one face at once, each with a slider from 0 to 100, beside the open reference.

    After MUSHRA (ITU-R BS.1534-3, 2015), made for sound: a copy of the reference hides among the pictures,
    and an anchor, the reference without its fine detail (our stand-in for the low-pass filter of sec. 5.1).

    Attributes:
        anchor: Whether the anchor is among them.
        post_screening: Leave a person's answers to this block out who puts the hidden reference below 90 on
            more than 15 % of the faces (sec. 4.1.2).
    """

    anchor: bool = True
    post_screening: bool = True
    points: int = 100

    kind: Literal["mushra"] = "mushra"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points != 100:
            raise ConfigError(f"blocks.{self.name}: points is {self.points}; MUSHRA rates from 0 to 100")
        for key in ("exposure_ms", "checks", "practice", "repeats"):
            if getattr(self, key):
                raise ConfigError(
                    f"blocks.{self.name}: {key} is {getattr(self, key)}; MUSHRA checks by the hidden reference"
                )
        if self.order == "free" or self.follow_up or self.same_pictures_as:
            raise ConfigError(f"blocks.{self.name}: MUSHRA has no order, follow_up or same_pictures_as")

    @property
    def lowest(self) -> int:
        """The lowest rating."""
        return 0

    @property
    def answers(self) -> tuple[str, ...]:
        """Every rating, as text."""
        return tuple(str(number) for number in range(self.points + 1))

    def shown(self, systems: tuple[str, ...]) -> tuple[str, ...]:
        """The conditions, the hidden reference, the anchor."""
        extra = (TRUTH, ANCHOR) if self.anchor else (TRUTH,)
        named = super().shown(systems)
        return (*named, *(name for name in extra if name not in named))


AnyBlock = Annotated[
    RatingBlock | MushraBlock | RealOrRestoredBlock | PairBlock | ExpressionBlock | SamePersonBlock,
    Field(discriminator="kind"),
]
"""A block of one of the kinds, told apart by `kind`."""
