"""Which faces belong to which block, so that no person meets a face in two blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demask.errors import ConfigError
from demask.rng import rng_for
from demask.study.blocks import Block, ExpressionBlock, SamePersonBlock
from demask.study.plan import Plan
from demask.study.trials import FaceLabel


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A face that a block judges, with the faces that stand beside it in `same person?`."""

    face: str
    same: str = ""
    other: str = ""


def deal_items(plan: Plan, labels: Mapping[str, FaceLabel]) -> dict[str, tuple[Item, ...]]:
    """Give every block its items; blocks with `same_pictures_as` get none of their own.

    Faces of one identity stay together, in one block. What is left after every block has what it needs
    goes to the blocks that take all they can get, else to all in proportion.

    Args:
        plan: The study.
        labels: Every face by name, with what is known of it.

    Raises:
        ConfigError: There are not enough faces, or not enough with the labels that a block needs.
    """
    shown = {example.face for block in plan.blocks for example in block.examples}
    unknown = sorted(shown - labels.keys())
    if unknown:
        raise ConfigError(
            f"examples name the face {unknown[0]!r}, of which there is no picture; choose another"
        )
    labels = {face: label for face, label in labels.items() if face not in shown}
    groups = _shuffled_groups(plan.seed, labels)
    blocks = [block for block in plan.blocks if not block.same_pictures_as]
    pools: dict[str, list[list[str]]] = {block.name: [] for block in blocks}
    if plan.across_blocks == "shared":
        pools = {block.name: [group for group in groups if _usable(block, group, labels)] for block in blocks}
    else:
        left = groups
        # Blocks that need labels choose first: others can use any face.
        for block in sorted(blocks, key=lambda block: not isinstance(block, ExpressionBlock | SamePersonBlock)):
            left = _take_needed(block, left, pools[block.name], labels)
        _deal_rest(blocks, left, pools, labels)
    items = {block.name: _items(block, pools[block.name], labels) for block in blocks}
    for block in blocks:
        if len(items[block.name]) < _need(block):
            raise ConfigError(
                f"blocks.{block.name} needs {_need(block)} faces (practice included) but "
                f"{len(items[block.name])} of {len(labels)} are left for it that it can use; "
                + _in_all(plan, blocks)
            )
    return items


def _need(block: Block) -> int:
    return (block.faces or 1) + block.practice


def _in_all(plan: Plan, blocks: Sequence[Block]) -> str:
    """How many faces a plan needs, and how to need fewer."""
    # Beside each face of `same person?` stands another that is never judged.
    needs = {block.name: _need(block) * (2 if isinstance(block, SamePersonBlock) else 1) for block in blocks}
    if plan.across_blocks == "shared":
        return f"the plan needs {max(needs.values())} faces; add pictures or labels, or lower `faces`"
    parts = " + ".join(f"{num} {name}" for name, num in needs.items())
    return (
        f"the plan needs {sum(needs.values())} faces in all ({parts}); add pictures or labels, lower `faces`, "
        "or set across_blocks = 'shared'"
    )


def _shuffled_groups(seed: int, labels: Mapping[str, FaceLabel]) -> list[list[str]]:
    """Faces grouped by identity, groups in a seeded order that no order of files can change."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for face in sorted(labels):
        identity = labels[face].identity
        groups.setdefault((bool(identity), identity or face), []).append(face)
    ordered = list(groups.values())
    return [ordered[place] for place in rng_for(seed, "study/faces", "").permutation(len(ordered))]


def _usable(block: Block, group: Sequence[str], labels: Mapping[str, FaceLabel]) -> bool:
    if isinstance(block, ExpressionBlock):
        return any(labels[face].expression in block.expressions for face in group)
    if isinstance(block, SamePersonBlock) and block.reference == "other_photo":
        return len(group) > 1
    return True


def _take_needed(
    block: Block, groups: list[list[str]], pool: list[list[str]], labels: Mapping[str, FaceLabel]
) -> list[list[str]]:
    """Fill a pool up to what its block needs; returns the groups that are left."""
    left = []
    for group in groups:
        if len(_items(block, pool, labels)) < _need(block) and _usable(block, group, labels):
            pool.append(group)
        else:
            left.append(group)
    return left


def _deal_rest(
    blocks: Sequence[Block],
    groups: list[list[str]],
    pools: dict[str, list[list[str]]],
    labels: Mapping[str, FaceLabel],
) -> None:
    for group in groups:
        takers = [block for block in blocks if _usable(block, group, labels)]
        takers = [block for block in takers if block.faces is None] or takers
        if takers:
            poorest = min(takers, key=lambda block: len(pools[block.name]) / _need(block))
            pools[poorest.name].append(group)


def _items(block: Block, groups: Sequence[Sequence[str]], labels: Mapping[str, FaceLabel]) -> tuple[Item, ...]:
    if isinstance(block, ExpressionBlock):
        usable = [face for group in groups for face in group if labels[face].expression in block.expressions]
        return tuple(Item(face=face) for face in usable)
    if isinstance(block, SamePersonBlock):
        # Half of the people are judged, the other half are those they are mistaken for: nobody who
        # stands beside a face is ever judged, so no face is met in two conditions by surprise.
        half = len(groups) // 2
        same = 1 if block.reference == "other_photo" else 0
        return tuple(
            Item(face=group[0], same=group[same], other=stranger[0])
            for group, stranger in zip(groups[:half], groups[half : 2 * half], strict=True)
        )
    return tuple(Item(face=face) for group in groups for face in group)
