"""What a study asks of whom: blocks of trials, questions, and the rule that leaves a person out.

A plan is written before the first answer and never changed after it; `plan_file` reads one from TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from demask.errors import ConfigError
from demask.study.blocks import ANCHOR, MASKED, NAME, TRUTH, AnyBlock, Block, Texts


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about the person, asked once.

    Attributes:
        name: Unique in the plan.
        kind: `choice` of `choices`, a `number`, or free `text` (never exported unless asked for).
        text: The question by language.
        choices: What can be chosen; stored as written here.
        shown: The choices as people read them, by language, in the same order; default: as stored.
        at: At the start, where blocks and quotas may depend on it and it must be answered, or at the end.
        quota: So many people may give a reply; who comes when they are there is thanked and sent on.
    """

    name: str
    text: Texts
    kind: Literal["choice", "number", "text"] = "choice"
    choices: tuple[str, ...] = ()
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at: Literal["start", "end"] = "end"
    quota: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for reply in self.quota:
            if self.at != "start" or reply not in self.choices:
                raise ConfigError(
                    f"questions.{self.name}.quota names {reply!r}; a quota is for a choice of a question with "
                    "at = 'start'"
                )
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
class Display:
    """How large pictures are, and on what they may be seen.

    Attributes:
        size: `own`: one pixel of the picture for one of the page; `degrees`: as wide as planned in degrees of
            visual angle, for which people hold a bank card to the screen first.
        degrees: Width of a picture as it is seen, with `size = "degrees"`.
        distance_cm: How far people are asked to sit.
        zoom: Whether a trial may be looked at with the browser's zoom; where it is forbidden the trial waits
            until the zoom is as it was.
        smallest_px: The window must be as wide and as high; 0 = any.
        check_device: Look at window, frame rate and zoom before the first trial, and store them.
    """

    size: Literal["own", "degrees"] = "own"
    degrees: float = 0.0
    distance_cm: float = 60.0
    zoom: Literal["allowed", "forbidden"] = "allowed"
    smallest_px: int = 0
    check_device: bool = False

    def __post_init__(self) -> None:
        if (self.size == "degrees") != (self.degrees > 0):
            raise ConfigError(
                f"display: size is {self.size!r} and degrees is {self.degrees}; set both or neither"
            )
        if not 0 <= self.degrees <= 60 or not 10 <= self.distance_cm <= 500:
            raise ConfigError(
                f"display: {self.degrees} degrees at {self.distance_cm} cm; up to 60 at 10 to 500 are possible"
            )


@dataclass(frozen=True, kw_only=True)
class Recruitment:
    """Where people come from who do not come by themselves.

    Attributes:
        service: `prolific` reads PROLIFIC_PID, STUDY_ID and SESSION_ID from the link, `mturk` workerId, hitId
            and assignmentId.
        completion_code: Shown at the end, to be handed in there.
        completion_url: A link at the end, such as Prolific's with its `cc=`.
        screened_code: For people whom a quota sends away.
        screened_url: The same as a link.
        timeout_minutes: Who agreed so long ago and has not finished loses the place to the next who comes;
            0 = never.
    """

    service: Literal["none", "prolific", "mturk"] = "none"
    completion_code: str = ""
    completion_url: str = ""
    screened_code: str = ""
    screened_url: str = ""
    timeout_minutes: int = 0

    def __post_init__(self) -> None:
        for key in ("completion_url", "screened_url"):
            if getattr(self, key) and not getattr(self, key).startswith("https://"):
                raise ConfigError(f"recruitment.{key} is {getattr(self, key)!r}; it must start with https://")


@dataclass(frozen=True, kw_only=True)
class Group:
    """People who see the same blocks in the same order; the groups take turns.

    Attributes:
        name: In exports.
        blocks: Names, in the order in which this group sees them.
    """

    name: str
    blocks: tuple[str, ...]


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
        questions: Asked at the start or the end.
        instructions: A page before the first block: Markdown, by language.
        debrief: A page after the last answer: Markdown, by language.
        display: How large pictures are.
        recruitment: Where people come from.
        groups: Orders of blocks that take turns over people, all of them equally often; empty = one order.
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
    instructions: Texts = field(default_factory=dict)
    debrief: Texts = field(default_factory=dict)
    display: Display = field(default_factory=Display)
    recruitment: Recruitment = field(default_factory=Recruitment)
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ConfigError(f"people is {self.people}; a study needs one or more")
        for name in self.systems:
            if not NAME.fullmatch(name) or name in (TRUTH, MASKED, ANCHOR):
                raise ConfigError(f"systems: {name!r} cannot name a system; use a-z, 0-9, dash, plus, dot")
        _unique("systems", self.systems)
        _unique("blocks", tuple(block.name for block in self.blocks))
        _unique("questions", tuple(question.name for question in self.questions))
        if not self.blocks or not self.systems or not self.languages:
            raise ConfigError("a plan needs at least one block, one system and one language")
        missing = [language for language in self.languages if not self.consent.get(language, "").strip()]
        if missing:
            raise ConfigError(f"consent has no text for {', '.join(missing)}; add [consent] {missing[0]} = ...")
        for question in self.questions:
            untold = [language for language in self.languages if not question.text.get(language, "").strip()]
            if untold:
                raise ConfigError(f"questions.{question.name}.text says nothing in {', '.join(untold)}; add it")
        for place, block in enumerate(self.blocks):
            self._check_block(block, self.blocks[:place])
        self._check_groups()

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
            if block.kind in ("real_or_restored", "same_person", "mushra"):
                wanted |= {TRUTH: None}
            wanted |= {example.condition: None for example in block.examples}
            if getattr(block, "show_masked", False):
                wanted |= {MASKED: None}
        return tuple(wanted)

    @property
    def at_start(self) -> tuple[Question, ...]:
        """The questions that come before everything."""
        return tuple(question for question in self.questions if question.at == "start")

    def group_of(self, place: int) -> tuple[Group | None, tuple[AnyBlock, ...]]:
        """The group of the person at a place, and the blocks in this group's order."""
        if not self.groups:
            return None, self.blocks
        group = self.groups[place % len(self.groups)]
        named = {block.name: block for block in self.blocks}
        return group, tuple(named[name] for name in group.blocks)

    def left_out(self, replies: Mapping[str, str]) -> frozenset[str]:
        """Names of the blocks that a person does not see, by what they replied at the start."""
        return frozenset(
            block.name
            for block in self.blocks
            if block.when and replies.get(block.when.question) not in block.when.replies
        )

    def _check_groups(self) -> None:
        _unique("groups", tuple(group.name for group in self.groups))
        names = [block.name for block in self.blocks]
        for group in self.groups:
            _unique(f"groups.{group.name}.blocks", group.blocks)
            unknown = [name for name in group.blocks if name not in names]
            if unknown or not group.blocks:
                raise ConfigError(
                    f"groups.{group.name}.blocks names {unknown or 'nothing'}; there are {', '.join(names)}"
                )
        if self.groups:
            for name in names:
                if not any(name in group.blocks for group in self.groups):
                    raise ConfigError(f"blocks.{name} is in no group; add it to one or take it out of the plan")

    def _check_block(self, block: Block, earlier: tuple[Block, ...]) -> None:
        where = f"blocks.{block.name}"
        asked = {question.name: question for question in self.at_start}
        if block.when:
            if block.when.question not in asked:
                known = ", ".join(asked) or "none"
                raise ConfigError(
                    f"{where}.when: {block.when.question!r} is not asked at the start; there are: {known}"
                )
            choices = asked[block.when.question].choices
            unknown = [reply for reply in block.when.replies if choices and reply not in choices]
            if unknown or not block.when.replies:
                raise ConfigError(
                    f"{where}.when: replies names {unknown or 'nothing'}; choose {', '.join(choices)}"
                )
        for example in block.examples:
            if example.condition not in (*self.systems, TRUTH, MASKED):
                raise ConfigError(f"{where}.examples: there is no condition {example.condition!r}")
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
