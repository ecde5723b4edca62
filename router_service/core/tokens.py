"""How many tokens a prompt has, without its vendor's tokenizer: characters over ratios that are learnt from usage."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from router_service.core.chat import Message, Prompt

MESSAGE_TOKENS = 4
"""What the frame around a message costs: its role and the marks at its ends."""

IMAGE_TOKENS = 800
"""A flat price for a picture, whose size the router does not know; vendors charge from 85 to 1 600."""


class Script(Enum):
    """Kinds of text that tokenizers treat alike.

    LATIN is what reads like English, ACCENTED the Latin letters of languages that have accents, and DIGITS stand apart
    since few of them fill a token. In code the SYMBOLS, ends of lines among them, count apart from the rest, CODE.
    SYLLABIC are kana and hangul.
    """

    __hash__ = object.__hash__
    """Members are their own; the way by their names costs more than all else in a look-up."""

    LATIN = "latin"
    ACCENTED = "accented"
    CODE = "code"
    SYMBOLS = "symbols"
    DIGITS = "digits"
    HAN = "han"
    SYLLABIC = "syllabic"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextProfile:
    """The characters of a prompt by script, and what else in it costs tokens."""

    characters: Mapping[Script, int]
    messages: int = 0
    images: int = 0


def profile(prompt: Prompt) -> TextProfile:
    """Count a prompt's characters by script: messages, tool calls, tool definitions and the response's schema.

    A text of more than 16 384 characters is sampled at sixteen places instead of read, so the cost has a ceiling.
    """
    counts = dict.fromkeys(Script, 0)
    for text in _texts(prompt):
        _count(text, counts)
    for text in _schemas(prompt):
        _count_piece(text, counts, Script.CODE)
    images = sum(part.image is not None for message in prompt.messages for part in message.parts)
    return TextProfile(characters=counts, messages=len(prompt.messages), images=images)


def typical(profile: TextProfile) -> int:
    """The tokens that a model of no known family will probably count, at least 1."""
    return _estimate(profile, _TYPICAL)


class TokenEstimator:
    """Characters-per-token ratios per model and script, seeded by the model's family and learnt from reported usage.

    The first answers move a ratio fast, later ones by `weight`, from 0 to 1: a mean that turns into an EWMA. At most
    `most_models` models are remembered; the one learnt longest ago is forgotten first and starts from its seeds again.
    """

    __slots__ = ("_learnt", "_most_models", "_weight")

    def __init__(self, *, weight: float = 0.03, most_models: int = 1_000) -> None:
        self._weight = weight
        self._most_models = most_models
        self._learnt: OrderedDict[str, _Learnt] = OrderedDict()

    def estimate(self, model: str, profile: TextProfile) -> int:
        """The input tokens that `model` will probably count, at least 1."""
        learnt = self._learnt.get(model)
        ratios = seeds(model) if learnt is None else learnt.ratios
        return _estimate(profile, ratios)

    def learn(self, model: str, profile: TextProfile, input_tokens: int) -> None:
        """Move the model's ratios towards what a provider reported for a prompt of this profile.

        Each script moves by its share in the prompt, so that prose teaches nothing about code. A prompt with pictures,
        or with hardly any text, teaches nothing: what it was charged for is not known.
        """
        known = self._learnt.get(model) or _Learnt(ratios=seeds(model), evidence=dict.fromkeys(Script, 0.0))
        tokens = _tokens(profile, known.ratios)
        expected = sum(tokens.values())
        reported = input_tokens - _frame_tokens(profile)
        if profile.images or expected < _LEAST_TOKENS or reported <= 0:
            return
        error = math.log(min(_MOST_OFF, max(1 / _MOST_OFF, reported / expected)))
        trust = expected / (expected + _HALF_TRUSTED_TOKENS)
        shares = {script: trust * count / expected for script, count in tokens.items()}
        self._learnt[model] = known.moved(shares, error, self._weight)
        self._learnt.move_to_end(model)
        if len(self._learnt) > self._most_models:
            self._learnt.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learnt:
    """A model's ratios, and in how many answers' worth of text each was seen."""

    ratios: Mapping[Script, float]
    evidence: Mapping[Script, float]

    def moved(self, shares: Mapping[Script, float], error: float, weight: float) -> _Learnt:
        """Ratios after an answer whose tokens were e^error times what was expected."""
        ratios, evidence = dict(self.ratios), dict(self.evidence)
        for script, share in shares.items():
            step = share * error * max(weight, 1 / (_SEED_ANSWERS + evidence[script]))
            ratios[script] = _bounded(ratios[script] * math.exp(-step))
            evidence[script] += share
        return _Learnt(ratios=ratios, evidence=evidence)


def seeds(model: str) -> Mapping[Script, float]:
    """The ratios of a model that nothing was learnt of, by the family that its name speaks of."""
    name = model.rpartition("/")[2].lower()
    return next((ratios for pattern, ratios in _FAMILIES if pattern.match(name)), _TYPICAL)


_LEAST_TOKENS = 20
_HALF_TRUSTED_TOKENS = 50
_MOST_OFF = 3.0
_SEED_ANSWERS = 5.0
_LEAST_RATIO, _MOST_RATIO = 0.2, 12.0

_WHOLE_CHARACTERS = 16_384
_WINDOWS, _WINDOW_CHARACTERS = 16, 1_024

_FENCE = "```"
_MOST_FENCES = 64
_CODE_SYMBOLS = "{}()[];=<>_"
_CODE_SHARE = 0.035
_ACCENTED_SHARE = 0.008
_HAN = re.compile("[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]+")
_SYLLABIC = re.compile("[\u1100-\u11ff\u3040-\u30ff\uac00-\ud7af]+")
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]+")
_MARKS = re.compile("[\u00a0-\u00bf\u2010-\u2044\u20ac]+")
_NO_DIGITS = {ord(digit): None for digit in "0123456789"}


def _per_script(*values: float) -> Mapping[Script, float]:
    return dict(zip(Script, values, strict=True))


_O200K = _per_script(4.75, 4.5, 4.75, 1.65, 0.9, 1.4, 1.45, 3.3)
_CL100K = _per_script(4.6, 3.6, 4.75, 1.65, 0.9, 0.9, 0.85, 1.4)
_TYPICAL = _per_script(4.65, 4.0, 4.75, 1.65, 0.9, 1.1, 1.1, 2.2)
# Beside these two, whose tokenizers were measured, every model starts from the ratios between them.
_FAMILIES = (
    (re.compile(r"gpt-4o|gpt-4\.\d|gpt-5|gpt-oss|chatgpt-4o|o[134](?:-|$)"), _O200K),
    (re.compile(r"gpt-4|gpt-3\.5|text-embedding-(?:ada|3)"), _CL100K),
)


def _texts(prompt: Prompt) -> Iterator[str]:
    for message in prompt.messages:
        yield from _texts_of(message)


def _texts_of(message: Message) -> Iterator[str]:
    yield message.content
    yield from (part.text for part in message.parts)


def _schemas(prompt: Prompt) -> Iterator[str]:
    """What is JSON whatever it looks like: tool calls, tool definitions, the schema of the answer."""
    for message in prompt.messages:
        yield from (f"{call.name}{call.arguments_json}" for call in message.tool_calls)
    yield from (f"{tool.name}{tool.description}{tool.parameters_json}" for tool in prompt.tools)
    if prompt.response_format is not None:
        yield prompt.response_format.schema_json


def _count(text: str, counts: dict[Script, int]) -> None:
    """Add a text's characters to the counts, piece by piece: between fences is code."""
    if _FENCE[0] not in text:  # one character is found ten times as fast as three
        _count_piece(text, counts, None)
        return
    for number, piece in enumerate(text.split(_FENCE, _MOST_FENCES)):
        _count_piece(piece, counts, Script.CODE if number % 2 else None)


def _count_piece(text: str, counts: dict[Script, int], kind: Script | None) -> None:
    """Add a piece to the counts. What is neither a digit nor of another script counts as `kind`, found if None."""
    sample = _sample(text)
    if not sample:
        return
    digits = len(sample) - len(sample.translate(_NO_DIGITS))
    foreign, accented = ({}, 0) if sample.isascii() else _foreign(sample)
    symbols = sum(map(sample.count, _CODE_SYMBOLS))
    kind = kind or _kind(len(sample), symbols, accented)
    found = {**foreign, Script.DIGITS: digits, kind: len(sample) - digits - sum(foreign.values())}
    if kind is Script.CODE:
        found[Script.SYMBOLS] = symbols + sample.count("\n")
        # A tokenizer takes an indentation for one token, however deep: half of it is left out.
        found[Script.CODE] -= found[Script.SYMBOLS] + sample.count("  ")
    for script, count in found.items():
        counts[script] += round(count * len(text) / len(sample))


def _kind(length: int, symbols: int, accented: int) -> Script:
    """What has a programmer's symbols is code; what has accents is no English."""
    if symbols > _CODE_SHARE * length:
        return Script.CODE
    return Script.ACCENTED if accented > _ACCENTED_SHARE * length else Script.LATIN


def _foreign(text: str) -> tuple[Mapping[Script, int], int]:
    """The characters of other scripts than Latin, and how many Latin letters have accents."""
    han, syllabic, accented, marks = (
        sum(map(len, runs.findall(text))) for runs in (_HAN, _SYLLABIC, _ACCENTED, _MARKS)
    )
    outside = len(text) - len(text.encode("ascii", "ignore"))
    other = outside - han - syllabic - accented - marks
    return {Script.HAN: han, Script.SYLLABIC: syllabic, Script.OTHER: other}, accented


def _sample(text: str) -> str:
    """A short text whole; of a long one, windows at even distances from its start to its end."""
    if len(text) <= _WHOLE_CHARACTERS:
        return text
    stride = (len(text) - _WINDOW_CHARACTERS) / (_WINDOWS - 1)
    starts = (int(number * stride) for number in range(_WINDOWS))
    return "".join(text[start : start + _WINDOW_CHARACTERS] for start in starts)


def _estimate(profile: TextProfile, ratios: Mapping[Script, float]) -> int:
    return max(1, round(sum(_tokens(profile, ratios).values()) + _frame_tokens(profile)))


def _tokens(profile: TextProfile, ratios: Mapping[Script, float]) -> Mapping[Script, float]:
    """Of those scripts that the text has."""
    return {script: count / ratios[script] for script, count in profile.characters.items() if count}


def _frame_tokens(profile: TextProfile) -> int:
    return profile.messages * MESSAGE_TOKENS + profile.images * IMAGE_TOKENS


def _bounded(ratio: float) -> float:
    return min(_MOST_RATIO, max(_LEAST_RATIO, ratio))
