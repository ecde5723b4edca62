"""The choices of the file: names that the decision knows, as they are written in YAML."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from router_service.config.fields import Name, listed
from router_service.config.problem import NO_CHOICE, Refusal, nearest
from router_service.core.decision.strategies import BUILT_IN, NAME

Task = Literal[
    "chat",
    "reasoning",
    "code_generation",
    "classification",
    "embedding",
    "summarization",
    "rag",
    "vision",
    "web_search",
    "creative_writing",
    "translation",
    "analysis",
    "simple_qa",
    "testing",
    "documentation",
    "general",
]
TaskOrDefault = Literal[Task, "default"]
Complexity = Literal["simple", "medium", "complex", "unknown"]
BudgetTier = Literal["free", "low", "medium", "high", "unlimited"]
Environment = Literal["development", "production"]
Tier = Literal["local", "fast_cloud", "premium", "gateway"]
Dialect = Literal["openai", "anthropic", "gemini", "cohere", "bedrock", "azure", "vertex"]
Role = Literal["default", "simple", "complex", "reasoning"]
Setting = Literal[
    "temperature",
    "top_p",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "reasoning_off",
    "forced_tool_choice",
    "assistant_prefill",
]
Compliance = Literal["gdpr", "eu_data_residency", "soc2", "hipaa"]
Unit = Literal["requests", "tokens", "neurons", "usd"]
Window = Literal["second", "minute", "hour", "day", "week", "month", "ever"]
Factor = Literal["cost", "quota", "health", "latency", "task_match", "environment", "capabilities"]


def _known(name: str, info: ValidationInfo) -> str:
    """The names that the context of the validation has; without any, the built-in ones."""
    known: Collection[str] = BUILT_IN if info.context is None else info.context
    if name not in known:
        raise Refusal(NO_CHOICE, nearest(name, list(known)))
    return name


def _voter(name: str) -> str:
    if name == "ensemble":
        raise Refusal("may not vote, since it counts the votes", "any other strategy, for example points")
    return name


def _described(names: Iterable[str]) -> WithJsonSchema:
    """Editors offer the built-in names and take others, since the schema is the same wherever it is made."""
    return WithJsonSchema(
        {"anyOf": [{"enum": list(names), "type": "string"}, {"pattern": f"^{NAME.pattern}$", "type": "string"}]}
    )


Strategy = Annotated[str, AfterValidator(_known), _described(BUILT_IN)]
Voter = Annotated[Strategy, AfterValidator(_voter), _described(name for name in BUILT_IN if name != "ensemble")]

Tasks = Annotated[list[Task], BeforeValidator(listed, json_schema_input_type=Task | list[Task])]
Complexities = Annotated[
    list[Complexity], BeforeValidator(listed, json_schema_input_type=Complexity | list[Complexity])
]
BudgetTiers = Annotated[list[BudgetTier], BeforeValidator(listed, json_schema_input_type=BudgetTier | list[BudgetTier])]
Environments = Annotated[
    list[Environment], BeforeValidator(listed, json_schema_input_type=Environment | list[Environment])
]
Names = Annotated[list[Name], BeforeValidator(listed, json_schema_input_type=Name | list[Name])]
