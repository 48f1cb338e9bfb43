"""Simulated participants with known effects: rehearse a plan, and test that the statistics find them.

Nobody is judged by these answers: they live in a database that takes no real person, every record says
`simulated`, and every output of such a database says it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from demask.rng import rng_for
from demask.study.answering import Answer
from demask.study.blocks import TRUTH, Block, ExpressionBlock, MushraBlock, RatingBlock, RealOrRestoredBlock
from demask.study.effects import Effects
from demask.study.joining import ACTIVE
from demask.study.plan import Plan
from demask.study.read_back import pseudonym
from demask.study.records import Record
from demask.study.store import Store
from demask.study.trials import Trial


class Crowd:
    """Answers of simulated people; one draw of faces and people per seed.

    Args:
        plan: The study.
        effects: What people are like.
        seed: Same seed, same answers, whatever the order in which they are asked for.
    """

    def __init__(self, plan: Plan, effects: Effects, seed: int) -> None:
        self.plan, self.effects, self.seed = plan, effects, seed
        self._blocks = {block.name: block for block in plan.blocks}
        self._normals: dict[tuple[str, str], float] = {}

    def answers(self, slot: int, trials: Sequence[Trial]) -> list[Answer]:
        """The answers of the person in `slot` to their trials."""
        rng = rng_for(self.seed, "study/person", str(slot))
        careless = rng.random() < self.effects.careless
        leniency = float(rng.normal())
        inclination = dict(zip(self._blocks, rng.normal(size=len(self._blocks)).tolist(), strict=True))
        noise = rng.normal(size=(len(trials), 2))
        answers = []
        for trial, (chance, haste) in zip(trials, noise.tolist(), strict=True):
            block = self._blocks[trial.block]
            if careless:
                value = str(rng.choice(block.answers))
            elif trial.role == "check":
                value = trial.expected
            elif isinstance(block, RatingBlock | MushraBlock):
                value = self._rating(block, trial, leniency, chance)
            else:
                value = self._choice(block, trial, inclination[block.name], chance)
            reaction = self.effects.reaction_ms * math.exp(0.4 * haste) * (0.2 if careless else 1.0)
            seen = float(block.exposure_ms) if block.exposure_ms and trial.pictures else None
            answers.append(
                Answer(
                    position=trial.position,
                    value=value,
                    reaction_ms=round(reaction, 1),
                    first_ms=seen,
                    second_ms=seen if trial.second else None,
                    follow_up=_follow_up(block, value, rng) if trial.role != "practice" else "",
                )
            )
        return answers

    def records(self, slot: int, trials: Sequence[Trial]) -> list[Record]:
        """The same answers as records, without a database."""
        return [
            Record(
                person=pseudonym(slot),
                position=trial.position,
                block=trial.block,
                role=trial.role,
                face=trial.face,
                first=trial.first,
                second=trial.second,
                second_face=trial.second_face,
                expected=trial.expected,
                value=answer.value,
                reaction_ms=answer.reaction_ms,
                first_ms=answer.first_ms,
                second_ms=answer.second_ms,
                simulated=True,
            )
            for trial, answer in zip(trials, self.answers(slot, trials), strict=True)
        ]

    def _normal(self, purpose: str, name: str) -> float:
        """The standard normal effect of a face or picture, the same for everybody."""
        key = purpose, name
        if key not in self._normals:
            self._normals[key] = float(rng_for(self.seed, f"study/{purpose}", name).normal())
        return self._normals[key]

    def _rating(self, block: RatingBlock | MushraBlock, trial: Trial, leniency: float, chance: float) -> str:
        effects = self.effects
        if isinstance(block, MushraBlock) and trial.first == TRUTH:
            return str(block.points)  # Who compares with care finds the reference among the pictures.
        latent = (
            effects.level[trial.first]
            + effects.sd_person * leniency
            + effects.sd_face * self._normal("face", trial.face)
            + effects.sd_picture * self._normal("picture", f"{trial.first}/{trial.face}")
            + effects.sd_noise * chance
        )
        span = block.points - block.lowest
        return str(block.lowest + min(max(math.floor(latent * span + 0.5), 0), span))

    def _choice(self, block: Block, trial: Trial, inclination: float, chance: float) -> str:
        """An answer that falls with its exact probability, like those of one person and of one picture."""
        shown = "|".join(sorted((trial.first, trial.second)))
        effects = self.effects
        rest = 1 - effects.person_fraction - effects.picture_fraction
        latent = (
            math.sqrt(effects.person_fraction) * inclination
            + math.sqrt(effects.picture_fraction) * self._normal(block.name, f"{shown}/{trial.face}")
            + math.sqrt(rest) * chance
        )
        uniform = float(ndtr(latent))
        if block.kind == "pair":
            # The order of names, not of places, so that a picture's advantage does not depend on its side.
            one, two = sorted((trial.first, trial.second))
            chance_one = 1 / (1 + math.exp(effects.strength[two] - effects.strength[one]))
            winner = one if uniform < chance_one else two
            return "first" if winner == trial.first else "second"
        if isinstance(block, ExpressionBlock):
            right = effects.recognised[trial.first]
            if uniform < right:
                return trial.expected
            others = [name for name in block.expressions if name != trial.expected]
            return others[min(int((uniform - right) / (1 - right) * len(others)), len(others) - 1)]
        if isinstance(block, RealOrRestoredBlock) and block.design == "pair":
            system = trial.second if trial.expected == "first" else trial.first
            other = {"first": "second", "second": "first"}[trial.expected]
            return trial.expected if uniform < effects.detected[system] else other
        if block.kind == "real_or_restored":
            return "real" if uniform < effects.called_real[trial.first] else "restored"
        table = effects.called_same if trial.expected == "same" else effects.called_same_wrongly
        return "same" if uniform < table[trial.first] else "different"


def simulate(store: Store, effects: Effects, *, people: int, seed: int = 0) -> None:
    """Let simulated people take part in a study, each from consent to the last question.

    Args:
        store: A database made for simulated people.
        effects: What they are like.
        people: How many join.
        seed: Same seed, same answers.

    Raises:
        UsageError: The database is for real people.
    """
    crowd = Crowd(store.plan, effects, seed)
    for _ in range(people):
        token = store.enrol(store.plan.languages[0], simulated=True)
        store.consent(token)
        slot = store.session(token).slot
        rng = rng_for(seed, "study/replies", str(slot))
        for question in store.plan.questions:
            usual = {"number": str(int(rng.integers(18, 70))), "text": "a simulated remark"}
            value = str(rng.choice(question.choices)) if question.choices else usual[question.kind]
            store.reply(token, question.name, value)
        session = store.session(token)
        if session.status != ACTIVE:
            continue  # A full quota has sent them away.
        store.answer_all(token, crowd.answers(slot, session.trials))
        store.finish(token)


def _follow_up(block: Block, value: str, rng: np.random.Generator) -> str:
    asked = block.follow_up
    return str(rng.choice(asked.choices)) if asked and value in asked.after else ""
