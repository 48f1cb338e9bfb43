"""What a participant's page is told: what to show and ask, and nothing of what the pictures are."""

from __future__ import annotations

from typing import Any

from demask.study.blocks import MASKED, REFERENCE, Block, FollowUp, PairBlock, RealOrRestoredBlock
from demask.study.folder import StudyFolder
from demask.study.joining import SCREENED
from demask.study.language import Language
from demask.study.markdown import tree_in
from demask.study.plan import Question
from demask.study.store import Session
from demask.study.trials import Trial


def session_json(folder: StudyFolder, session: Session) -> dict[str, Any]:
    """A participant's whole session.

    Conditions, faces and right answers stay here; only a practice trial carries its right answer, for the
    feedback. A repeated trial, and an attention check, look like any other. What the study was about is told
    when it is over.

    Args:
        folder: The study with its pictures.
        session: Of one participant.
    """
    code, plan = session.language, folder.plan
    language = folder.languages[code]
    shown = dict.fromkeys(trial.block for trial in session.trials)
    return {
        "title": plan.title,
        "language": code,
        "consented": session.consented,
        "finished": session.finished,
        "status": session.status,
        "blocks": {name: _block(folder, plan.block(name), code, language) for name in shown},
        "trials": [_trial(folder, plan.block(trial.block), trial, language) for trial in session.trials],
        "answered": sorted(session.answered),
        "drafts": dict(session.drafts),
        "questions": [_question(item, code) for item in plan.questions],
        "replied": sorted(session.replies),
        "instructions": tree_in(plan.instructions, code),
        "display": _display(folder),
        "words": dict(language.words),
        **(_leaving(folder, session, code) if session.finished or session.status == SCREENED else {}),
    }


def _display(folder: StudyFolder) -> dict[str, Any]:
    display = folder.plan.display
    return {
        "degrees": display.degrees,
        "distance_cm": display.distance_cm,
        "zoom": display.zoom,
        "smallest_px": display.smallest_px,
        "check": display.check_device or display.degrees > 0 or display.smallest_px > 0,
    }


def _leaving(folder: StudyFolder, session: Session, code: str) -> dict[str, Any]:
    """What is shown at the end, and the way back to the recruiting service."""
    sent = folder.plan.recruitment
    done = session.finished and session.status != SCREENED
    return {
        "debrief": tree_in(folder.plan.debrief, code) if done else [],
        "leave_code": sent.completion_code if done else sent.screened_code,
        "leave_url": sent.completion_url if done else sent.screened_url,
    }


def _block(folder: StudyFolder, block: Block, code: str, language: Language) -> dict[str, Any]:
    slider = getattr(block, "points", 0) == 100
    return {
        "kind": block.kind,
        "prompt": language.prompt(block, code),
        "slider": slider,
        "answers": [
            {"value": answer, "label": language.answer_label(block, answer)}
            for answer in (() if slider else block.answers)
        ],
        "ends": list(language.scale_ends(block)),
        "exposure_ms": block.exposure_ms,
        # pix2pix shows the real and the restored picture one after the other, each for the same time.
        "in_turn": isinstance(block, RealOrRestoredBlock) and block.exposure_ms > 0,
        # A picture that stays is an answer itself where the answers are pictures.
        "clickable": isinstance(block, PairBlock | RealOrRestoredBlock)
        and block.answers == ("first", "second")
        and not block.exposure_ms,
        "practice": block.practice,
        "free": block.order == "free",
        "instructions": tree_in(block.instructions, code),
        "examples": [
            {"picture": folder.ids[example.condition, example.face], "caption": example.caption.get(code, "")}
            for example in block.examples
        ],
        "follow_up": _follow_up(block.follow_up, code) if block.follow_up else None,
    }


def _follow_up(asked: FollowUp, code: str) -> dict[str, Any]:
    shown = asked.shown.get(code, asked.choices)
    return {
        "after": list(asked.after),
        "text": asked.text.get(code, ""),
        "choices": list(zip(asked.choices, shown, strict=True)),
    }


def _trial(folder: StudyFolder, block: Block, trial: Trial, language: Language) -> dict[str, Any]:
    masked = folder.ids[MASKED, trial.face] if trial.face and getattr(block, "show_masked", False) else ""
    told: dict[str, Any] = {
        "position": trial.position,
        "block": trial.block,
        "role": "practice" if trial.role == "practice" else "main",
        "pictures": [folder.ids[condition, face] for condition, face in trial.pictures],
        "masked": masked,
        "reference": folder.ids[REFERENCE, trial.face] if trial.screen >= 0 else "",
        "pause": trial.break_before,
        "screen": trial.screen,
    }
    if trial.role == "check":
        told["prompt"] = language.check_prompt(block, trial.expected)
    if trial.role == "practice":
        told["right"] = trial.expected
    return told


def _question(question: Question, code: str) -> dict[str, Any]:
    return {
        "name": question.name,
        "kind": question.kind,
        "at": question.at,
        "text": question.text[code],
        "choices": list(zip(question.choices, question.shown.get(code, question.choices), strict=True)),
    }
