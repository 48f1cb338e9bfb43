"""The entry points of the zoo: a `Plugin` for each network that is kept, made when it is asked for."""

from __future__ import annotations

from demask.errors import WeightsError
from demask.restorers.about import About, Parameter
from demask.restorers.network import network_restorer
from demask.restorers.plugins import Context, Plugin
from demask.restorers.zoo_names import ZOO
from demask.types import Restorer
from demask.weights.registry import sha256_of
from demask.weights.sessions import open_session
from demask_zoo.card import NETWORKS, Card, read_card


def plugin(name: str) -> Plugin:
    """The plug-in of a network.

    Raises:
        WeightsError: It is not kept yet, or its card is damaged.
    """
    path = NETWORKS / f"{name}.json"
    if not path.is_file():
        raise WeightsError(
            f"the restorer {name!r} is not in this zoo yet: nobody has trained and added its network; "
            "docs/training.md says how to train one, zoo/README.md how to add it"
        )
    card = read_card(path)

    def make(context: Context) -> Restorer:
        return open_network(card, context)

    return Plugin(about=about(card), make=make)


def about(card: Card) -> About:
    """What demask shows of a card."""
    budget = f"{card.pictures_seen:,} pictures of {card.side_px} px, {card.minutes:,.0f} minutes"
    return About(
        name=card.name,
        version=card.version,
        what=card.what,
        paper=card.paper,
        licence=card.licence,
        invents=True,
        blind=card.blind,
        parameters=(
            Parameter(
                name="width", ours=card.width, paper=card.published_width, what="channels of its first layer"
            ),
            Parameter(name="budget", ours=budget, paper=card.published_budget, what="what it was trained on"),
        ),
        departures=tuple(card.departures),
        needs_demask=card.needs_demask,
        digest=card.sha256,
    )


def open_network(card: Card, context: Context) -> Restorer:
    """The network of a card, its checksum compared.

    Raises:
        WeightsError: The file is missing or damaged.
        DeviceUnavailable: The named device is not there.
    """
    path = NETWORKS / card.file
    try:
        got = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); install the zoo again") from error
    if got != card.sha256:
        raise WeightsError(
            f"{path} is damaged: its sha256 is {got[:12]}..., its card says {card.sha256[:12]}...; "
            "install the zoo again"
        )
    session = open_session(path, device=context.device, threads=context.threads, options=context.options)
    return network_restorer(session)


def __getattr__(attribute: str) -> Plugin:
    """An entry point of `pyproject.toml`, whose names have underscores here."""
    name = attribute.replace("_", "-")
    if name not in ZOO:
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    return plugin(name)
