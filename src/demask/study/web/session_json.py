"""What a participant's page is told: what to show and ask, and nothing of what the pictures are."""

from __future__ import annotations

from typing import Any

from demask.study import texts
from demask.study.blocks import MASKED, Block, RatingBlock, RealOrRestoredBlock
from demask.study.folder import StudyFolder
from demask.study.plan import Question
from demask.study.store import Session
from demask.study.trials import Trial
from demask.study.web.words import WORDS


def session_json(folder: StudyFolder, session: Session) -> dict[str, Any]:
    """A participant's whole session.

    Conditions, faces and right answers stay here; only a practice trial carries its right answer, for the
    feedback. A repeated trial looks like any other.

    Args:
        folder: The study with its pictures.
        session: Of one participant.
    """
    language, plan = session.language, folder.plan
    return {
        "title": plan.title,
        "language": language,
        "consented": session.consented,
        "finished": session.finished,
        "blocks": {block.name: _block(block, language) for block in plan.blocks},
        "trials": [_trial(folder, plan.block(trial.block), trial, language) for trial in session.trials],
        "answered": sorted(session.answered),
        "questions": [_question(item, language) for item in plan.questions],
        "replied": sorted(session.replies),
        "words": dict(WORDS[language]),
    }


def _block(block: Block, language: str) -> dict[str, Any]:
    slider = isinstance(block, RatingBlock) and block.points == 100
    return {
        "kind": block.kind,
        "prompt": texts.prompt(block, language),
        "slider": slider,
        "answers": [
            {"value": answer, "label": texts.answer_label(block, answer, language)}
            for answer in (() if slider else block.answers)
        ],
        "ends": list(texts.scale_ends(block, language)) if isinstance(block, RatingBlock) else [],
        "exposure_ms": block.exposure_ms,
        # pix2pix shows the real and the restored picture one after the other, each for the same time.
        "in_turn": isinstance(block, RealOrRestoredBlock) and block.exposure_ms > 0,
        "practice": block.practice,
    }


def _trial(folder: StudyFolder, block: Block, trial: Trial, language: str) -> dict[str, Any]:
    masked = folder.ids[MASKED, trial.face] if trial.face and getattr(block, "show_masked", False) else ""
    told: dict[str, Any] = {
        "position": trial.position,
        "block": trial.block,
        "role": "main" if trial.role == "repeat" else trial.role,
        "pictures": [folder.ids[condition, face] for condition, face in trial.pictures],
        "masked": masked,
        "pause": trial.break_before,
    }
    if trial.role == "check":
        told["prompt"] = texts.check_prompt(block, trial.expected, language)
    if trial.role == "practice":
        told["right"] = trial.expected
    return told


def _question(question: Question, language: str) -> dict[str, Any]:
    return {
        "name": question.name,
        "kind": question.kind,
        "text": question.text[language],
        "choices": list(zip(question.choices, question.shown.get(language, question.choices), strict=True)),
    }
