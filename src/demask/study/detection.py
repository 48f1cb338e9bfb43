"""Accuracy and d-prime: can people tell real from restored, and one person from two?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from demask.study.blocks import TRUTH, Block, RealOrRestoredBlock
from demask.study.intervals import Estimate, from_influence, nothing, proportion_estimate
from demask.study.records import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionSummary:
    """How well people told a system's pictures apart.

    Attributes:
        system: The system.
        accuracy: Fraction of right answers.
        accuracy_people: Mean and standard deviation over people's own fractions, as studies print it.
        fooled: Fraction of restored pictures taken for real (real or restored only).
        d_prime: Sensitivity, pooled over people; 0 = guessing.
        bias: Criterion c = -(z(H) + z(F)) / 2 (Macmillan and Creelman, Detection Theory, 2005, eq. 2.1).
        hit_rate: H, log-linear corrected.
        false_alarm_rate: F, log-linear corrected.
    """

    system: str
    accuracy: Estimate
    accuracy_people: tuple[float, float]
    fooled: Estimate
    d_prime: Estimate
    bias: float
    hit_rate: float
    false_alarm_rate: float


def corrected_rate(hits: int, trials: int) -> float:
    """(hits + 0.5) / (trials + 1): the log-linear correction (Hautus, BRMIC 27(1), 1995, p. 47)."""
    return (hits + 0.5) / (trials + 1)


def d_prime(hit_rate: float, false_alarm_rate: float, *, two_alternatives: bool = False) -> float:
    """z(H) - z(F); over sqrt(2) where every trial shows both kinds (Macmillan and Creelman 2005, eq. 7.2)."""
    difference = float(ndtri(hit_rate) - ndtri(false_alarm_rate))
    return difference / math.sqrt(2) if two_alternatives else difference


def summarise(block: Block, records: Sequence[Record], systems: Sequence[str]) -> list[DetectionSummary]:
    """Summarise the main trials of a `real or restored` or `same person` block for each system."""
    summaries = []
    two = isinstance(block, RealOrRestoredBlock) and block.design == "pair"
    for system in systems:
        own = [record for record in records if system in (record.first, record.second)]
        if not own:
            continue
        # In the single design the real pictures belong to no system: all systems share them.
        shared = [record for record in records if record.first == TRUTH and not record.second]
        judged = own + shared
        hits = np.array([record.correct for record in own], np.float64)
        people, faces = [record.person for record in own], [record.face for record in own]
        fooled = nothing()
        if block.kind == "real_or_restored":
            fooled = proportion_estimate(1 - hits, people, faces)
        accuracy = _accuracy(judged)
        # A signal trial is one whose right answer is the first of the two.
        signal = np.array([record.expected == block.answers[0] for record in judged], bool)
        said = np.array([record.value == block.answers[0] for record in judged], bool)
        estimate, hit_rate, false_rate = _d_prime_estimate(
            signal, said, [r.person for r in judged], [r.face for r in judged], two_alternatives=two
        )
        summaries.append(
            DetectionSummary(
                system=system,
                accuracy=accuracy,
                accuracy_people=_over_people(judged),
                fooled=fooled,
                d_prime=estimate,
                bias=-(float(ndtri(hit_rate)) + float(ndtri(false_rate))) / 2,
                hit_rate=hit_rate,
                false_alarm_rate=false_rate,
            )
        )
    return summaries


def _accuracy(records: Sequence[Record]) -> Estimate:
    hits = np.array([record.correct for record in records], np.float64)
    return proportion_estimate(hits, [record.person for record in records], [record.face for record in records])


def _over_people(records: Sequence[Record]) -> tuple[float, float]:
    answers_of: dict[str, list[bool]] = {}
    for record in records:
        answers_of.setdefault(record.person, []).append(record.correct)
    means = np.array([np.mean(answers) for answers in answers_of.values()])
    return float(means.mean()), float(means.std(ddof=1)) if len(means) > 1 else float("nan")


def _d_prime_estimate(
    signal: np.ndarray, said: np.ndarray, people: list[str], faces: list[str], *, two_alternatives: bool
) -> tuple[Estimate, float, float]:
    """Pooled d' with the interval from its first-order influence values."""
    num_signal, num_noise = int(signal.sum()), int((~signal).sum())
    hit_rate = corrected_rate(int(said[signal].sum()), num_signal)
    false_rate = corrected_rate(int(said[~signal].sum()), num_noise)
    value = d_prime(hit_rate, false_rate, two_alternatives=two_alternatives)
    steep = [
        math.exp(-(float(ndtri(rate)) ** 2) / 2) / math.sqrt(2 * math.pi) for rate in (hit_rate, false_rate)
    ]
    influence = np.where(
        signal,
        (said - hit_rate) / max(1, num_signal) / steep[0],
        -(said - false_rate) / max(1, num_noise) / steep[1],
    )
    if two_alternatives:
        influence = influence / math.sqrt(2)
    return from_influence(value, influence, people, faces), hit_rate, false_rate
