"""Words in every language, also in one that comes from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_plans import every_kind

from demask.errors import ConfigError
from demask.study.blocks import RatingBlock
from demask.study.language import BUILT_IN, read_languages, text_of


@pytest.mark.parametrize("code", BUILT_IN)
def test_every_block_has_words_in_every_language(code: str) -> None:
    language = read_languages([code], {})[code]
    for block in every_kind().blocks:
        assert language.prompt(block, code).endswith("?")
        labels = [language.answer_label(block, answer) for answer in block.answers]
        assert len(set(labels)) == len(block.answers)
        assert labels[0] in language.check_prompt(block, block.answers[0])
        if isinstance(block, RatingBlock):
            assert len(set(language.scale_ends(block))) == 2


def test_the_plans_words_come_first() -> None:
    languages = read_languages(["en", "de"], {})
    block = RatingBlock(name="r", scale="realism", prompt={"en": "Well?"})
    assert languages["en"].prompt(block, "en") == "Well?"
    assert languages["de"].prompt(block, "de") == "Wie echt wirkt dieses Gesicht?"


def test_a_language_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fr.toml"
    path.write_text(text_of("en").replace('"I agree and take part"', '"Je suis d’accord"'))
    assert read_languages(["fr"], {"fr": path})["fr"].words["agree"] == "Je suis d’accord"
    with pytest.raises(ConfigError, match=r"demask study words en > fr\.toml"):
        read_languages(["fr"], {})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('agree = "I agree and take part"\n', ""), r"lacks words\.agree; in English it says 'I agree"),
        (("[words]\n", '[words]\nextra = "x"\n'), r"has words\.extra, which no page shows"),
        (("{done} of {all}", "{done} of all"), r"words\.done_of must keep {done}, {all}"),
        (('"poor", ', ""), "quality_5 needs 5 texts"),
    ],
)
def test_a_file_that_would_leave_gaps_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "fr.toml"
    assert change[0] in text_of("en")
    path.write_text(text_of("en").replace(*change, 1))
    with pytest.raises(ConfigError, match=words):
        read_languages(["fr"], {"fr": path})
