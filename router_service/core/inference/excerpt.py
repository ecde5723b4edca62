"""What is read of a prompt: its instructions, apart from the material they are about, within fixed bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from router_service.core.chat import Message, Prompt, Role

HEAD_CHARACTERS = 1_200
TAIL_CHARACTERS = 900
SYSTEM_CHARACTERS = 600
EARLIER_CHARACTERS = 240
FOLLOW_UP_CHARACTERS = 60
_MESSAGES_LOOKED_BACK = 12

_LINE_CHARACTERS = 320
_MATERIAL_CHARACTERS = 600
_MATERIAL_WEIGHT = 0.3
_TAIL_WEIGHT = 0.8

# Every repetition that can fail is bounded or tied to the start of a line, so that no text makes them slow.
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_QUOTATION = re.compile(
    r'"[^"\n]{2,400}"|“[^”\n]{2,400}”|„[^“”\n]{2,400}[“”]|«[^»\n]{2,400}»|「[^」\n]{2,400}」'
    r"|(?<!\w)'[^'\n]{2,400}'(?!\w)"
)
_QUOTED_LINE = re.compile(r"^[ \t]{0,8}>.*$", re.MULTILINE)
_CALL = re.compile(r"\b[\w.]{1,60}\(")
_CODE_LINE = re.compile(
    r"^(?:[ \t]*(?:import \w|from [\w.]{1,80} import|def \w{1,80}\(|class \w.*[:{][ \t]*$|const \w"
    r"|let \w{1,80} =|var \w|function \w{1,80}\(|public \w|#include|return\b.*;|export \w|fn \w|package \w{1,80};"
    r"|@\w{1,80}\(|\$\().*"
    r"|(?P<said>[^\n:{};()=]{12,200}: )?.*[;{}][ \t]*|[ \t]*[\w.]{1,80}\(.*\)[;,]?[ \t]*)$",
    re.MULTILINE,
)
_QUOTES = ("'", '"', "“", "„", "«", "「")
_CODE_MARKS = (
    ";",
    "(",
    "{",
    "}",
    "import",
    "class ",
    "const ",
    "let ",
    "var ",
    "public ",
    "#include",
    "export ",
    "fn ",
)
"""No pattern of quotations or lines of code matches a text without one of these."""
_FORBIDDEN = re.compile(
    r"(?<!\w)(?:[Dd]o not|[Dd]on['’]?t|[Nn]ever|[Nn]o need to|[Aa]void)\s"
    r"(?!(?:know|get|understand|feel|like|you|we|they|i|I|forget|worry|just|only|remember|care|mind|hesitate)\b)"
    r"[^.!?;:,\n]{2,120}|(?:不要|请别|不用)[^，。！？；,.!?;\n]{1,40}"
)
"""What is not to be done, up to the end of its clause; "I don't get it" and "don't forget the tests" are none of it."""
_FORBIDDING = ("o not ", "n't ", "n’t ", "ont ", "ever ", "o need to ", "void ", "不", "请别")
_BEFORE_ORDERS = re.compile(r"(?:^|[^\w\s]|\b(?:please|but|and|so|just))\s*\Z", re.IGNORECASE)
_WISH, _BEFORE_WISHES = re.compile(r"\S+(?: not)?\s(?:want|need)\b"), re.compile(r"\b[Ii]\s*\Z")
_CHARACTERS_BEFORE = 12
_GREETING = re.compile(
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|greetings|hallo|guten (?:tag|morgen|abend)|bonjour|salut"
    r"|hola|buenos días|ciao|dear \w{1,20})(?: (?:there|all|everyone|team|folks|again))?"
    r"(?:\s?[,!.:;]+\s{0,3}|\s(?=(?:can|could|would|please|i need|i want|write)\b))"
    r"|(?:你好|您好|大家好)[\s,!.，！。、]{0,3}",
    re.IGNORECASE,
)
_GREETED_CHARACTERS = 6
_LEAD = re.compile(r"^(?P<lead>[^:：\n]{3,300}[:：])(?P<rest>.*\S.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of instruction. `weight` is how much its words say about the task, from 0 (quoted) to 1 (asked)."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The instructions of a prompt and what stands around them.

    `raw` is the bounded text with its material, and `characters` is the length of the whole last message.
    """

    raw: str
    system: Segment
    earlier: Segment
    segments: tuple[Segment, ...]
    earlier_raw: str
    characters: int
    has_image: bool
    has_earlier_image: bool
    has_code: bool
    has_quotation: bool
    is_follow_up: bool


def excerpt(prompt: Prompt) -> Excerpt:
    """Read the last message that is the caller's, its system message and the turns just before it."""
    last = _last_user(prompt)
    whole = "" if last is None else _text(last)
    raw = _bounded(whole)
    spoken = _spoken(raw)
    without_lines = _CODE_LINE.sub(r"\g<said>", spoken) if has_any(_CODE_MARKS, spoken) else spoken
    bare = _CALL.sub(" ", without_lines) if "(" in without_lines else without_lines
    has_code = "```" in raw or without_lines != spoken
    earlier = _earlier(prompt, last)
    return Excerpt(
        raw=raw,
        system=Segment(text=_system(prompt), weight=1.0),
        earlier=Segment(text=_first_user(earlier), weight=1.0),
        segments=_segments(_wanted(bare), is_cut=len(raw) < len(whole)),
        earlier_raw=" ".join(_text(m)[:EARLIER_CHARACTERS] for m in earlier[-3:]),
        characters=len(whole),
        has_image=last is not None and _has_image(last),
        has_earlier_image=any(_has_image(m) for m in earlier),
        has_code=has_code,
        has_quotation=len(spoken) < len(raw) - 20,
        is_follow_up=bool(earlier) and len(whole) <= FOLLOW_UP_CHARACTERS,
    )


def _spoken(text: str) -> str:
    """Without what others wrote. Looking for a mark costs a fraction of a pattern, and most prompts have none."""
    if "```" in text:
        text = _FENCE.sub(" ", text)
    if ">" in text:
        text = _QUOTED_LINE.sub(" ", text)
    return _QUOTATION.sub(" ", text) if has_any(_QUOTES, text) else text


def _wanted(text: str) -> str:
    """Without what the caller says not to do: in "don't write code, tell a joke" no code is asked for."""
    return _FORBIDDEN.sub(_left_of_order, text) if has_any(_FORBIDDING, text) else text


def _left_of_order(match: re.Match[str]) -> str:
    """Nothing of an order; all of a statement, such as "users do not see the page"."""
    before = match.string[max(0, match.start() - _CHARACTERS_BEFORE) : match.start()]
    is_wish = _WISH.match(match[0]) and _BEFORE_WISHES.search(before)
    return " " if is_wish or _BEFORE_ORDERS.search(before) or match[0][0] in "不请" else match[0]


def has_any(marks: tuple[str, ...], text: str) -> bool:
    """Whether one of `marks` stands anywhere in `text`."""
    for mark in marks:  # noqa: SIM110 - a generator would cost more than all of the marks
        if mark in text:
            return True
    return False


def _last_user(prompt: Prompt) -> Message | None:
    return next((m for m in reversed(prompt.messages) if m.role is Role.USER), None)


def _text(message: Message) -> str:
    if message.parts:
        return "\n".join(part.text for part in message.parts if part.text)
    return message.content


def _has_image(message: Message) -> bool:
    return any(part.image is not None for part in message.parts)


def _bounded(text: str) -> str:
    """All of a short text; head and tail of a long one, since instructions stand before or after their material."""
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"


def _system(prompt: Prompt) -> str:
    first = prompt.messages[0] if prompt.messages else None
    return "" if first is None or first.role is not Role.SYSTEM else _text(first)[:SYSTEM_CHARACTERS]


def _earlier(prompt: Prompt, last: Message | None) -> tuple[Message, ...]:
    """The turns before the last message, the latest dozen of them, so that a long conversation costs no more."""
    recent = prompt.messages[-_MESSAGES_LOOKED_BACK:]
    return tuple(m for m in recent if m is not last and m.role in (Role.USER, Role.ASSISTANT))


def _first_user(earlier: tuple[Message, ...]) -> str:
    """The instruction that a follow-up most likely goes on with: the start of the conversation that is still seen."""
    return next((_text(m)[:EARLIER_CHARACTERS] for m in earlier if m.role is Role.USER), "")


def _segments(bare: str, *, is_cut: bool) -> tuple[Segment, ...]:
    """First and last line count, lines between them hardly: they are what the instruction is about.

    Translate to French: summarize the report
    └── asked, 1.0 ────┘ └── material, 0.3 ──┘
    """
    lines = [line.strip() for line in bare.split("\n") if line.strip(" -—*=#\t")]
    if not lines:
        return ()
    found = _opening(lines[0])
    if len(lines) > 1:
        found.append(Segment(text="\n".join(lines[1:-1])[:_MATERIAL_CHARACTERS], weight=_MATERIAL_WEIGHT))
        is_asked = is_cut or lines[-1].endswith(("?", "？"))
        found.append(Segment(text=lines[-1][-_LINE_CHARACTERS:], weight=1.0 if is_asked else _TAIL_WEIGHT))
    return tuple(segment for segment in found if segment.text)


def _opening(line: str) -> list[Segment]:
    """A first line in its parts; a greeting before a request is not what the request is for."""
    greeting = _GREETING.match(line)
    if greeting is None or len(line) - greeting.end() < _GREETED_CHARACTERS:
        return _lead(line)
    return [*_lead(line[greeting.end() :]), Segment(text=greeting[0], weight=_MATERIAL_WEIGHT)]


def _lead(line: str) -> list[Segment]:
    """A first line in its parts: up to the colon, what follows it, and the far end of a long one."""
    if match := _LEAD.match(line):
        return [
            Segment(text=match["lead"], weight=1.0),
            Segment(text=match["rest"][:_MATERIAL_CHARACTERS], weight=_MATERIAL_WEIGHT),
        ]
    return [
        Segment(text=line[:_LINE_CHARACTERS], weight=1.0),
        Segment(text=line[_LINE_CHARACTERS:][-_MATERIAL_CHARACTERS:], weight=_MATERIAL_WEIGHT),
    ]
