"""What a study asks of whom: blocks of trials, questions, and the rule that leaves a person out.

A plan is written before the first answer and never changed after it; `plan_file` reads one from TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from demask.errors import ConfigError
from demask.study.blocks import MASKED, NAME, TRUTH, AnyBlock, Block, Texts
from demask.study.texts import LANGUAGES


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about the person, asked once at the end.

    Attributes:
        name: Unique in the plan.
        kind: `choice` of `choices`, a `number`, or free `text` (never exported unless asked for).
        text: The question by language.
        choices: What can be chosen; stored as written here.
        shown: The choices as people read them, by language, in the same order; default: as stored.
    """

    name: str
    text: Texts
    kind: Literal["choice", "number", "text"] = "choice"
    choices: tuple[str, ...] = ()
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.kind == "choice") != bool(self.choices):
            raise ConfigError(f"questions.{self.name}: kind is {self.kind!r}; only choices have `choices`")
        for language, shown in self.shown.items():
            if len(shown) != len(self.choices):
                raise ConfigError(
                    f"questions.{self.name}.shown.{language} has {len(shown)} texts for {len(self.choices)} "
                    "choices; write one for each, in the same order"
                )


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Whose answers are left out, decided before the first one comes in; None or 0 = no such rule.

    Attributes:
        max_failed_checks: A person with more wrong attention checks is left out; None = any number stays.
        min_answered_fraction: A person who answered a smaller fraction of the trials is left out.
        min_median_reaction_ms: A person whose median reaction is quicker is left out.
        max_same_answer_fraction: A person who gives one answer to a larger fraction of the ratings is left out.
        max_exposure_error_ms: An answer whose picture stayed longer or shorter by more is left out.
    """

    max_failed_checks: int | None = None
    min_answered_fraction: float = 0.0
    min_median_reaction_ms: float = 0.0
    max_same_answer_fraction: float = 1.0
    max_exposure_error_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole study.

    Attributes:
        title: Shown to people and on the report.
        systems: Names of the systems judged; each is a folder of restored pictures.
        blocks: In the order in which they are shown.
        seed: Of every draw: the same plan and pictures give the same assignment.
        people: How many people are planned.
        languages: Offered in this order.
        across_blocks: `separate`: no person meets a face in two blocks (unless `same_pictures_as` says
            so); `shared`: blocks may show one face in several conditions, and the plan wants it.
        consent: What people agree to, by language; required for every language.
        exclusion: Who is left out.
        questions: Asked at the end.
    """

    title: str
    systems: tuple[str, ...]
    blocks: tuple[AnyBlock, ...]
    consent: Texts
    seed: int = 0
    people: int = 20
    languages: tuple[str, ...] = ("en",)
    across_blocks: Literal["separate", "shared"] = "separate"
    exclusion: Exclusion = field(default_factory=Exclusion)
    questions: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ConfigError(f"people is {self.people}; a study needs one or more")
        for name in self.systems:
            if not NAME.fullmatch(name) or name in (TRUTH, MASKED):
                raise ConfigError(f"systems: {name!r} cannot name a system; use a-z, 0-9, dash, plus, dot")
        _unique("systems", self.systems)
        _unique("blocks", tuple(block.name for block in self.blocks))
        _unique("questions", tuple(question.name for question in self.questions))
        if not self.blocks or not self.systems or not self.languages:
            raise ConfigError("a plan needs at least one block, one system and one language")
        for language in self.languages:
            if language not in LANGUAGES:
                raise ConfigError(f"languages names {language!r}; our pages speak {', '.join(LANGUAGES)}")
        missing = [language for language in self.languages if not self.consent.get(language, "").strip()]
        if missing:
            raise ConfigError(f"consent has no text for {', '.join(missing)}; add [consent] {missing[0]} = ...")
        for question in self.questions:
            untold = [language for language in self.languages if not question.text.get(language, "").strip()]
            if untold:
                raise ConfigError(f"questions.{question.name}.text says nothing in {', '.join(untold)}; add it")
        for place, block in enumerate(self.blocks):
            self._check_block(block, self.blocks[:place])

    def block(self, name: str) -> Block:
        """The block of that name.

        Raises:
            KeyError: There is none.
        """
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(name)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Every condition that pictures are needed for, in order."""
        wanted = dict.fromkeys(self.systems)
        for block in self.blocks:
            wanted |= dict.fromkeys(block.shown(self.systems))
            if block.kind in ("real_or_restored", "same_person"):
                wanted |= {TRUTH: None}
            if getattr(block, "show_masked", False):
                wanted |= {MASKED: None}
        return tuple(wanted)

    def _check_block(self, block: Block, earlier: tuple[Block, ...]) -> None:
        where = f"blocks.{block.name}"
        allowed = {*self.systems}
        if block.kind in ("rating", "expression"):
            allowed |= {TRUTH, MASKED}
        if block.kind == "pair":
            allowed |= {TRUTH}
        for name in block.conditions:
            if name not in allowed:
                can = ", ".join(sorted(allowed))
                raise ConfigError(f"{where}: conditions names {name!r}; it can show {can}")
        if block.kind == "pair" and len(block.shown(self.systems)) < 2:
            raise ConfigError(f"{where}: a pair needs two conditions; name them in conditions")
        if block.same_pictures_as:
            models = [other for other in earlier if other.name == block.same_pictures_as]
            if not models:
                wanted = block.same_pictures_as
                raise ConfigError(f"{where}: same_pictures_as is {wanted!r}; no earlier block is called that")
            if block.kind != "rating" or models[0].kind != "rating" or block.practice:
                raise ConfigError(f"{where}: same_pictures_as joins rating blocks without practice only")
            if models[0].shown(self.systems) != block.shown(self.systems) or block.faces is not None:
                raise ConfigError(
                    f"{where}: same_pictures_as needs the conditions of {models[0].name} "
                    "and no `faces` of its own"
                )


def _unique(where: str, names: tuple[str, ...]) -> None:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ConfigError(f"{where}: {twice[0]!r} stands there twice; names must differ")
