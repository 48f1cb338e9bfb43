"""The words of a study's pages, one TOML file per language; a plan may bring files of its own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from demask.errors import ConfigError, InputError
from demask.study.blocks import Block, RatingBlock, RealOrRestoredBlock

BUILT_IN = ("en", "de")
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_PLACE = re.compile(r"{\w+}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """What our pages say in one language.

    Attributes:
        check: An attention check, with `{answer}`.
        quality_5: The five categories of ITU-T P.910, worst first.
        prompts: Our own questions by kind of block, with scale or design where a kind has several.
        ends: Words at the lowest and the highest rating, by scale.
        answers: What buttons say.
        words: Everything around the trials.
    """

    check: str
    quality_5: tuple[str, ...]
    prompts: Mapping[str, str]
    ends: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, str]
    words: Mapping[str, str]

    def prompt(self, block: Block, code: str) -> str:
        """The question of a block: the plan's words where it has some, else ours."""
        key = block.kind
        if isinstance(block, RatingBlock):
            key += f"/{block.scale}"
        if isinstance(block, RealOrRestoredBlock):
            key += f"/{block.design}"
        return block.prompt.get(code) or self.prompts[key]

    def answer_label(self, block: Block, answer: str) -> str:
        """What a button says; a rating's number says what it means where a standard has a word."""
        if isinstance(block, RatingBlock):
            if block.scale == "quality" and block.points == 5:
                return f"{answer} {self.quality_5[int(answer) - 1]}"
            return answer
        return self.answers.get(answer, answer)

    def scale_ends(self, block: Block) -> tuple[str, ...]:
        """The words at the lowest and the highest rating; none where nothing is rated."""
        if isinstance(block, RatingBlock):
            return self.ends[block.scale]
        return self.ends["mushra"] if block.kind == "mushra" else ()

    def check_prompt(self, block: Block, answer: str) -> str:
        """What an attention check says."""
        return self.check.format(answer=self.answer_label(block, answer))


def text_of(code: str) -> str:
    """The file of a language that we bring.

    Raises:
        ConfigError: We bring none of this name.
    """
    if code not in BUILT_IN:
        raise ConfigError(f"we bring no words in {code!r}; there are {', '.join(BUILT_IN)}")
    return resources.files("demask.study").joinpath("languages", f"{code}.toml").read_text(encoding="utf-8")


def read_languages(codes: Iterable[str], files: Mapping[str, Path]) -> dict[str, Language]:
    """The words of every language of a plan.

    Args:
        codes: Of the plan.
        files: Code to file, of languages that we do not bring or whose words are to be others.

    Raises:
        ConfigError: A language has no file, or a file lacks words or has too many.
        InputError: A file cannot be read.
    """
    found = {}
    for code in codes:
        if not _CODE.fullmatch(code):
            raise ConfigError(f"languages names {code!r}; use a code such as fr or pt-BR")
        if code in files:
            found[code] = _read(files[code])
        elif code in BUILT_IN:
            found[code] = _parse(text_of(code), code)
        else:
            raise ConfigError(
                f"languages names {code!r} but we bring only {', '.join(BUILT_IN)}; make a file with "
                f"`demask study words en > {code}.toml`, translate it, and pass --words {code}={code}.toml"
            )
    return found


def _read(path: Path) -> Language:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the words {path}: {error}; name a UTF-8 file") from error
    return _parse(text, str(path))


def _parse(text: str, name: str) -> Language:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not TOML: {error}") from error
    _compare(tomllib.loads(text_of("en")), table, name, "")
    return Language(
        check=table["check"],
        quality_5=tuple(table["quality_5"]),
        prompts=table["prompts"],
        ends={scale: tuple(words) for scale, words in table["ends"].items()},
        answers=table["answers"],
        words=table["words"],
    )


def _compare(wanted: Any, got: Any, name: str, where: str) -> None:
    """Every word that the English file has, of the same form, with the same places to fill."""
    if type(wanted) is not type(got):
        raise ConfigError(f"{name}: {where} is {got!r}; it must be written as in English: {wanted!r}")
    if isinstance(wanted, dict):
        dots = f"{where}." if where else ""
        for key in wanted.keys() - got.keys():
            raise ConfigError(f"{name} lacks {dots}{key}; in English it says {wanted[key]!r}")
        for key in got.keys() - wanted.keys():
            raise ConfigError(f"{name} has {dots}{key}, which no page shows; take it out")
        for key in wanted:
            _compare(wanted[key], got[key], name, f"{dots}{key}")
    elif isinstance(wanted, list):
        if len(wanted) != len(got) or not all(isinstance(item, str) and item.strip() for item in got):
            raise ConfigError(f"{name}: {where} needs {len(wanted)} texts")
    elif sorted(_PLACE.findall(wanted)) != sorted(_PLACE.findall(got)):
        raise ConfigError(f"{name}: {where} must keep {', '.join(_PLACE.findall(wanted)) or 'no {place}'}")


assert {field.name for field in fields(Language)} == set(tomllib.loads(text_of("en")))
