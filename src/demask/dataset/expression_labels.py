"""What photographs are labelled with: seven expressions, and the letters that one set has in their place."""

from __future__ import annotations

from collections.abc import Mapping

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "surprised", "afraid", "disgusted")

LETTERS: Mapping[str, str] = {
    "letter-0": "neutral",
    "letter-a": "neutral",
    "letter-b": "happy",
    "letter-c": "sad",
    "letter-d": "angry",
    "letter-e": "disgusted",
    "letter-f": "afraid",
    "letter-g": "surprised",
}
"""The source `taiwanese` says a letter of each photograph and not what it stands for.

Read off a dozen faces of each; docs/measured/expression.md says how far a network that learned from the other
sources alone agrees.
"""


def expression_of(labels: Mapping[str, str]) -> str | None:
    """The expression that a face is labelled with; None where it has no label, or one that is unknown here."""
    said = labels.get("expression", "")
    named = LETTERS.get(said, said)
    return named if named in EXPRESSIONS else None
