"""Who sees what, in which order: balanced, seeded, a pure function of plan, faces and slot.

Every block lays its (face, condition) cells on a ring: as many rounds as there are conditions, each round
all faces in one fixed order, and a face's condition moves on by one from round to round. This is a Latin
square (Fisher, The Design of Experiments, 1935, ch. V) written in one line, and people take the ring's
cells in turn, n each. Two promises follow. Any n cells in a row, n up to the number of faces, name n
different faces: nobody meets a face in two conditions. After any number of people the counts of two cells
differ by one at most: every picture is judged about equally often, also when a study stops early.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from demask.errors import ConfigError
from demask.rng import rng_for
from demask.study.blocks import TRUTH, Block, ExpressionBlock, MushraBlock, RealOrRestoredBlock
from demask.study.plan import Plan
from demask.study.pools import Item, deal_items
from demask.study.trials import FaceLabel, Role, Trial


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cell:
    """What is shown of a face: conditions of the pictures, who stands beside, what is right."""

    first: str
    second: str = ""
    beside: str = ""
    expected: str = ""


class Assignment:
    """The trials of every slot of one study.

    Args:
        plan: The study.
        labels: Every face by name, with what is known of it.

    Raises:
        ConfigError: There are not enough faces for the plan.
    """

    def __init__(self, plan: Plan, labels: Mapping[str, FaceLabel]) -> None:
        self.plan = plan
        self.labels = dict(labels)
        self._items = deal_items(plan, labels)
        for block in plan.blocks:
            num = self.num_main(block)
            if block.repeats > max(1, num // 2):
                raise ConfigError(
                    f"blocks.{block.name}: repeats is {block.repeats} but only the first half of a person's "
                    f"{num} pictures can come back; ask for {max(1, num // 2)} or fewer"
                )

    def num_main(self, block: Block) -> int:
        """How many trials of a block enter each person's results."""
        model = self.plan.block(block.same_pictures_as) if block.same_pictures_as else block
        return model.faces or len(self._items[model.name]) - model.practice

    def trials(self, place: int, *, slot: int | None = None) -> tuple[Trial, ...]:
        """The whole session of one place in the balanced order.

        Args:
            place: From 0; may exceed the planned number of people, the balance goes on.
            slot: What the trials say; default: the place.
        """
        session: list[Trial] = []
        _, blocks = self.plan.group_of(place)
        for number, block in enumerate(blocks):
            trials = _with_breaks(block, list(self._block_trials(block, place)), first_block=number == 0)
            start = len(session)
            session += [
                dataclasses.replace(
                    trial,
                    slot=place if slot is None else slot,
                    position=start + i,
                    screen=start + trial.screen if trial.screen >= 0 else -1,
                )
                for i, trial in enumerate(trials)
            ]
        return tuple(session)

    def _turn(self, block: Block, place: int) -> int:
        """Which stretch of the block's ring a place has: the groups that see a block share it out in turn."""
        groups = [number for number, group in enumerate(self.plan.groups) if block.name in group.blocks]
        if not groups:
            return place
        rounds, own = divmod(place, len(self.plan.groups))
        return rounds * len(groups) + (groups.index(own) if own in groups else 0)

    def _block_trials(self, block: Block, slot: int) -> Iterator[Trial]:
        model = self.plan.block(block.same_pictures_as) if block.same_pictures_as else block
        cells = _cells(model, self.plan.systems)
        items = self._items[model.name]
        practice, main = items[: block.practice], items[model.practice :]
        rng = rng_for(self.plan.seed, f"study/order/{block.name}", str(slot))
        turns = rng.permutation(max(len(practice), len(cells)))[: len(practice)] % len(cells)
        for item, turn in zip(practice, turns, strict=True):
            yield self._trial(block, slot, "practice", item, cells[turn])

        dealt = _deal(self.plan.seed, model.name, main, cells, self._turn(model, slot), self.num_main(block))
        trials = [self._trial(block, slot, "main", item, cell) for item, cell in dealt]
        trials = [trials[place] for place in rng.permutation(len(trials))]
        if isinstance(block, MushraBlock):
            yield from _side_by_side(trials, block.shown(self.plan.systems), rng)
            return
        yield from _with_checks(block, _with_repeats(trials, block.repeats, rng), rng)

    def _trial(self, block: Block, slot: int, role: Role, item: Item, cell: _Cell) -> Trial:
        beside = {"same": item.same, "other": item.other, "": item.face if cell.second else ""}
        expected = self.labels[item.face].expression if isinstance(block, ExpressionBlock) else cell.expected
        return Trial(
            slot=slot,
            position=0,
            block=block.name,
            role=role,
            face=item.face,
            first=cell.first,
            second=cell.second,
            second_face=beside[cell.beside],
            expected=expected,
        )


def _cells(block: Block, systems: tuple[str, ...]) -> tuple[_Cell, ...]:
    """All ways in which a block shows one face; each comes equally often."""
    shown = block.shown(systems)
    if block.kind == "mushra":
        return (_Cell(first=TRUTH),)  # One way: all conditions at once, see `_side_by_side`.
    if block.kind == "pair":
        return tuple(_Cell(first=a, second=b) for a, b in permutations(shown, 2))
    if isinstance(block, RealOrRestoredBlock) and block.design == "pair":
        first = [_Cell(first=TRUTH, second=name, expected="first") for name in shown]
        return (*first, *(_Cell(first=name, second=TRUTH, expected="second") for name in shown))
    if isinstance(block, RealOrRestoredBlock):
        pairs = [(_Cell(first=x, expected="restored"), _Cell(first=TRUTH, expected="real")) for x in shown]
        return tuple(cell for pair in pairs for cell in pair)
    if block.kind == "same_person":
        same = [_Cell(first=name, second=TRUTH, beside="same", expected="same") for name in shown]
        return (
            *same,
            *(_Cell(first=name, second=TRUTH, beside="other", expected="different") for name in shown),
        )
    return tuple(_Cell(first=name) for name in shown)


def _deal(
    seed: int, name: str, items: Sequence[Item], cells: Sequence[_Cell], slot: int, num: int
) -> Iterator[tuple[Item, _Cell]]:
    """Slot's `num` cells of the block's ring."""
    rng = rng_for(seed, "study/ring", name)
    # Neighbours start in different conditions, so that each person meets all conditions about equally.
    runs = [rng.permutation(len(cells)) for _ in range(-(-len(items) // len(cells)))]
    starts = np.concatenate(runs)
    for place in range(slot * num, (slot + 1) * num):
        turn, face = divmod(place % (len(items) * len(cells)), len(items))
        yield items[face], cells[(starts[face] + turn) % len(cells)]


def _with_repeats(trials: list[Trial], num: int, rng: np.random.Generator) -> list[Trial]:
    """Trials of the first half come back in the last third, so that some time lies between."""
    early = trials[: max(1, len(trials) // 2)]
    chosen = [early[place] for place in rng.permutation(len(early))[:num]]
    for trial in chosen:
        place = int(rng.integers(2 * len(trials) // 3, len(trials) + 1))
        trials.insert(max(place, len(early)), dataclasses.replace(trial, role="repeat"))
    return trials


def _side_by_side(trials: list[Trial], shown: Sequence[str], rng: np.random.Generator) -> Iterator[Trial]:
    """Every face in all conditions on one screen, in a drawn order; `screen` counts from the block."""
    for number, trial in enumerate(trials):
        for place in rng.permutation(len(shown)):
            yield dataclasses.replace(trial, first=shown[place], screen=number * len(shown))


def _with_checks(block: Block, trials: list[Trial], rng: np.random.Generator) -> list[Trial]:
    """Attention checks, one somewhere in each of as many equal parts of the block.

    A check shows what the person has just seen in this block and says which answer to give: it looks like any
    other trial, and no face is met in another condition.
    """
    num = len(trials)
    for part in reversed(range(block.checks)):
        low, high = part * num // block.checks, (part + 1) * num // block.checks
        answer = str(rng.choice(block.answers))
        place = int(rng.integers(max(1, low), max(1, high) + 1))
        seen = trials[int(rng.integers(0, place))]
        check = dataclasses.replace(seen, role="check", expected=answer, break_before=False)
        trials.insert(place, check)
    return trials


def _with_breaks(block: Block, trials: list[Trial], *, first_block: bool) -> list[Trial]:
    """A pause before each block but the first, and after every `break_every` trials."""
    every = block.break_every
    if every and trials and trials[0].screen >= 0:  # A screen counts as one.
        every *= sum(trial.screen == trials[0].screen for trial in trials)
    return [
        dataclasses.replace(
            trial, break_before=(i == 0 and not first_block) or bool(i and every and i % every == 0)
        )
        for i, trial in enumerate(trials)
    ]
