"""The card of a network: what it is, how it was trained, on whose photographs, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from demask.errors import WeightsError

NETWORKS = Path(__file__).with_name("networks")


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One network of the zoo.

    Attributes:
        name: What `--restorer` takes.
        version: Goes up whenever another network takes its place.
        what: How it fills a hole, in a sentence.
        paper: Whose method it is.
        recipe: Of `demask train`.
        side_px: Side of the pictures that it learned from; it takes crops of 256 px all the same.
        width: Channels of its first layer, or units of its hidden ones; `published_width` is the paper's.
        published_width: The same in the paper.
        parameters: How many numbers it holds.
        pictures_seen: Steps times pictures a step.
        minutes: Time that the steps took.
        published_budget: What its authors trained on, and how long.
        figures: On validation faces, as the training measured them, by name.
        data: What it learned from: source, faces, and rights as the publisher states them.
        licence: What it may be used for.
        blind: Whether it is told no hole.
        weights: How they are stored.
        same_picture: What storing them so changes, beside torch in float32 on validation faces: mean and
            largest difference in levels of 255, and LPIPS where that was at hand.
        bytes: Size of the file.
        sha256: Checksum of the file.
        needs_demask: The oldest version that runs it.
        departures: Where it differs from the paper.
    """

    name: str
    version: int
    what: str
    paper: str
    recipe: str
    side_px: int
    width: int
    published_width: int
    parameters: int
    pictures_seen: int
    minutes: float
    published_budget: str
    figures: Mapping[str, float]
    data: Sequence[Mapping[str, Any]]
    licence: str
    blind: bool
    weights: Literal["float16", "int8"]
    same_picture: Mapping[str, float]
    bytes: int
    sha256: str
    needs_demask: str = "0.1"
    departures: Sequence[str]

    @property
    def file(self) -> str:
        """Name of the network's file, beside the card."""
        return f"{self.name}.onnx"


def read_card(path: Path) -> Card:
    """Read a card and check what it says.

    Raises:
        WeightsError: It cannot be read, lacks a field, has an unknown one, or one of another type.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"the card {path} cannot be read ({error}); install the zoo again") from error
    hints = get_type_hints(Card)
    names = {field.name for field in fields(Card)}
    if not isinstance(facts, dict):
        raise WeightsError(f"the card {path} is a {type(facts).__name__}, need a table; install the zoo again")
    if wrong := names ^ facts.keys():
        said = ", ".join(sorted(wrong))
        raise WeightsError(f"the card {path} lacks or has too much: {said}; install the zoo again")
    for name, value in facts.items():
        if not _is_of(value, hints[name]):
            raise WeightsError(f"the card {path} says {name} is {value!r}, need {hints[name]}")
    return Card(**facts)


def card_text(card: Card) -> str:
    """The card as its file holds it."""
    return json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n"


def _is_of(value: object, hint: Any) -> bool:
    """Whether a JSON value is of a field's type."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = get_origin(hint) or hint
    plain = {get_origin(Mapping[str, Any]): dict, get_origin(Sequence[str]): list}.get(kind, kind)
    return isinstance(value, plain)
