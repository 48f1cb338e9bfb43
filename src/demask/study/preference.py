"""Pairwise preference: the Bradley-Terry ranking with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import choix
import numpy as np

from demask.study.intervals import Estimate, from_influence, proportion_estimate
from demask.study.records import Record

# Keeps a system that wins every time at a finite strength; too small to move any other figure.
_RIDGE = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferenceSummary:
    """How often one system was preferred.

    Attributes:
        system: The system.
        rank: 1 = strongest.
        strength: Bradley-Terry log-strength; the mean over systems is 0.
        wins: Fraction of its comparisons that it won.
    """

    system: str
    rank: int
    strength: Estimate
    wins: Estimate


def summarise(records: Sequence[Record], systems: Sequence[str]) -> list[PreferenceSummary]:
    """Rank systems from the main trials of a pair block, strongest first.

    Bradley and Terry (Biometrika 39, 1952): P(i beats j) = 1 / (1 + exp(-(s_i - s_j))), fitted by maximum
    likelihood from the table of wins (choix; Maystre and Grossglauser, NIPS 2015). The interval is the
    sandwich: inverse information times each judgement's score as influence values, two-way clustered.
    """
    if not records:
        return []
    number = {system: place for place, system in enumerate(systems)}
    won = [
        (record.first, record.second) if record.value == "first" else (record.second, record.first)
        for record in records
    ]
    pairs = [(number[winner], number[loser]) for winner, loser in won]
    games = np.zeros((len(systems), len(systems)))
    np.add.at(games, tuple(np.array(pairs).T), 1.0)
    strengths = np.asarray(choix.ilsr_pairwise_dense(games, alpha=_RIDGE, max_iter=1000), np.float64)
    strengths -= strengths.mean()
    people, faces = [record.person for record in records], [record.face for record in records]
    influence = _influence(strengths, np.array(pairs))
    found = []
    for place, system in enumerate(systems):
        estimate = from_influence(float(strengths[place]), influence[:, place], people, faces)
        own = [place in pair for pair in pairs]
        hits = np.array(
            [winner == place for (winner, _), mine in zip(pairs, own, strict=True) if mine], np.float64
        )
        wins = proportion_estimate(
            hits,
            [person for person, mine in zip(people, own, strict=True) if mine],
            [face for face, mine in zip(faces, own, strict=True) if mine],
        )
        rank = 1 + int((strengths > strengths[place]).sum())
        found.append(PreferenceSummary(system=system, rank=rank, strength=estimate, wins=wins))
    return sorted(found, key=lambda summary: summary.rank)


def _influence(strengths: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """What each comparison [num] adds to each strength: [num, systems]."""
    winner, loser = pairs.T
    chance = 1 / (1 + np.exp(strengths[loser] - strengths[winner]))
    rows = np.arange(len(pairs))
    score = np.zeros((len(pairs), len(strengths)))
    score[rows, winner] = 1 - chance
    score[rows, loser] = chance - 1
    weight = chance * (1 - chance)
    information = np.zeros((len(strengths), len(strengths)))
    np.add.at(information, (winner, winner), weight)
    np.add.at(information, (loser, loser), weight)
    np.add.at(information, (winner, loser), -weight)
    np.add.at(information, (loser, winner), -weight)
    # Strengths are known up to a constant: the pseudo-inverse keeps their mean at 0.
    return np.asarray(score @ np.linalg.pinv(information, hermitian=True))
