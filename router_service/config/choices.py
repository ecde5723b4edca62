"""The closed choices of the file: names that the decision knows, as they are written in YAML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from router_service.config.fields import Name, listed

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
Voter = Literal[
    "points",
    "cost_optimized",
    "latency_optimized",
    "quality_optimized",
    "balanced",
    "round_robin",
    "least_loaded",
    "weighted",
    "priority",
]
Strategy = Literal[Voter, "ensemble"]

Tasks = Annotated[list[Task], BeforeValidator(listed, json_schema_input_type=Task | list[Task])]
Complexities = Annotated[
    list[Complexity], BeforeValidator(listed, json_schema_input_type=Complexity | list[Complexity])
]
BudgetTiers = Annotated[list[BudgetTier], BeforeValidator(listed, json_schema_input_type=BudgetTier | list[BudgetTier])]
Environments = Annotated[
    list[Environment], BeforeValidator(listed, json_schema_input_type=Environment | list[Environment])
]
Names = Annotated[list[Name], BeforeValidator(listed, json_schema_input_type=Name | list[Name])]
