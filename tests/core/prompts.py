"""The labelled prompts of labelled_prompts.jsonl: what each is for, how hard it is, and which half it belongs to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from router_service.core.chat import Image, Message, Part, Prompt, Role
from router_service.core.task import Complexity, TaskType

FILE = Path(__file__).with_name("labelled_prompts.jsonl")
SALT = "1041"
"""Chosen once, before any tuning, because it shares classes and complexities out most evenly over the halves."""

FILLER = (
    "The old bridge at the lower mill had stood for ninety years when the river took its middle pier. For a while "
    "people crossed by boat, then by a ford further up, and the market moved to the other bank. The council met in "
    "March and again in June, and each time the sum on the table was larger than the time before. A carpenter from the "
    "next valley offered to span the gap with larch; an engineer from the city wanted steel. In October the steel "
    "came, on two wagons, and the first cart went over before the paint was dry.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPrompt:
    """`hard` names the difficulty, or is empty.

    Prompts of the batch "later" were written last and measured once before the tables were widened; their words went
    into the tables then, so that they belong to the development half whatever their hash.
    """

    prompt: Prompt
    task: TaskType
    complexity: Complexity
    is_technical: bool
    is_refactoring: bool
    hard: str
    is_held_out: bool


@cache
def labelled_prompts() -> tuple[LabelledPrompt, ...]:
    return tuple(_labelled(json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines())


def _labelled(row: dict[str, object]) -> LabelledPrompt:
    return LabelledPrompt(
        prompt=_prompt(row),
        task=TaskType(row["task"]),
        complexity=Complexity(row["complexity"]),
        is_technical=bool(row.get("technical")),
        is_refactoring=bool(row.get("refactoring")),
        hard=str(row.get("hard", "")),
        is_held_out=row.get("batch") != "later" and _has_odd_hash(row),
    )


def _prompt(row: dict[str, object]) -> Prompt:
    user = str(row["user"]).replace("{fill}", filler(int(str(row.get("fill", 0)))))
    messages = [Message(role=Role(role), content=content) for role, content in _turns(row)]
    if row.get("image"):
        picture = Image(data=b"\x89PNG", media_type="image/png")
        messages.append(Message(role=Role.USER, parts=(Part(text=user), Part(image=picture))))
    else:
        messages.append(Message(role=Role.USER, content=user))
    return Prompt(messages=tuple(messages))


def _turns(row: dict[str, object]) -> list[tuple[str, str]]:
    """The messages before the last one: what the system says, then the conversation so far."""
    history = row.get("history", [])
    assert isinstance(history, list)
    system = row.get("system")
    return ([("system", str(system))] if system else []) + [(str(role), str(content)) for role, content in history]


def filler(characters: int) -> str:
    """Plain prose of a given length: what a long prompt consists of besides its instruction."""
    return (FILLER * (characters // len(FILLER) + 1))[:characters]


def _has_odd_hash(row: dict[str, object]) -> bool:
    """Whether the hash puts a prompt into the held-out half, where it stays when others are added."""
    key = json.dumps([row.get("system", ""), row.get("history", []), row["user"]], ensure_ascii=False)
    return hashlib.sha256(f"{SALT}:{key}".encode()).digest()[0] % 2 == 1
