"""Our own wording of questions and answers, by language; a plan's `prompt` replaces the question."""

from __future__ import annotations

from demask.study.blocks import Block, RatingBlock, RealOrRestoredBlock

LANGUAGES = ("en", "de")

# Keyed by kind, with scale or design where a kind has several questions.
_PROMPTS = {
    "en": {
        "rating/likability": "How likable does this person look?",
        "rating/quality": "How good is the quality of this picture?",
        "rating/realism": "How realistic does this face look?",
        "real_or_restored/pair": "One of the two pictures is a real photograph. Which one?",
        "real_or_restored/single": "Is this a real photograph, or was part of the face restored?",
        "pair": "Which of the two pictures is better?",
        "expression": "Which expression does this face show?",
        "same_person": "Do the two pictures show the same person?",
    },
    "de": {
        "rating/likability": "Wie sympathisch wirkt diese Person?",
        "rating/quality": "Wie gut ist die Qualität dieses Bildes?",
        "rating/realism": "Wie echt wirkt dieses Gesicht?",
        "real_or_restored/pair": "Eines der beiden Bilder ist ein echtes Foto. Welches?",
        "real_or_restored/single": "Ist dies ein echtes Foto, oder wurde ein Teil des Gesichts ergänzt?",
        "pair": "Welches der beiden Bilder ist besser?",
        "expression": "Welchen Ausdruck zeigt dieses Gesicht?",
        "same_person": "Zeigen die beiden Bilder dieselbe Person?",
    },
}

_ENDS = {
    "en": {
        "likability": ("not likable at all", "very likable"),
        "quality": ("bad", "excellent"),
        "realism": ("clearly artificial", "like a photograph"),
    },
    "de": {
        "likability": ("gar nicht sympathisch", "sehr sympathisch"),
        "quality": ("schlecht", "ausgezeichnet"),
        "realism": ("eindeutig künstlich", "wie ein Foto"),
    },
}

# The five categories of ITU-T P.910, worst first.
_QUALITY_5 = {
    "en": ("bad", "poor", "fair", "good", "excellent"),
    "de": ("schlecht", "dürftig", "ordentlich", "gut", "ausgezeichnet"),
}

_ANSWERS = {
    "en": {
        "first": "the first", "second": "the second", "real": "real", "restored": "restored",
        "same": "the same person", "different": "different people", "neutral": "neutral", "happy": "happy",
        "sad": "sad", "angry": "angry", "surprised": "surprised", "afraid": "afraid", "disgusted": "disgusted",
    },
    "de": {
        "first": "das erste", "second": "das zweite", "real": "echt", "restored": "ergänzt",
        "same": "dieselbe Person", "different": "verschiedene Personen", "neutral": "neutral",
        "happy": "fröhlich", "sad": "traurig", "angry": "wütend", "surprised": "überrascht",
        "afraid": "ängstlich", "disgusted": "angeekelt",
    },
}  # fmt: skip

_CHECK = {
    "en": "This is a check that you are reading: please answer “{answer}”.",
    "de": "Hier prüfen wir nur, ob Sie mitlesen: Bitte antworten Sie „{answer}“.",
}


def prompt(block: Block, language: str) -> str:
    """The question of a block: the plan's words where it has some, else ours."""
    key = block.kind
    if isinstance(block, RatingBlock):
        key += f"/{block.scale}"
    if isinstance(block, RealOrRestoredBlock):
        key += f"/{block.design}"
    return block.prompt.get(language) or _PROMPTS[language][key]


def answer_label(block: Block, answer: str, language: str) -> str:
    """What the button of an answer says; a rating's number says what it means where a standard has a word."""
    if isinstance(block, RatingBlock):
        if block.scale == "quality" and block.points == 5:
            return f"{answer} {_QUALITY_5[language][int(answer) - 1]}"
        return answer
    return _ANSWERS[language][answer]


def scale_ends(block: RatingBlock, language: str) -> tuple[str, str]:
    """The words at the lowest and the highest rating."""
    return _ENDS[language][block.scale]


def check_prompt(block: Block, answer: str, language: str) -> str:
    """What an attention check says."""
    return _CHECK[language].format(answer=answer_label(block, answer, language))
