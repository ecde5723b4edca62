"""What a request is for: its task, its complexity, the price tier it may use, and where its caller runs.

Members hash by identity: an enumeration's own way, by the name, runs in Python, and a decision hashes many of them.
"""

from __future__ import annotations

from enum import Enum


class TaskType(Enum):
    """The kind of work. None, never a member, stands for a task that was neither given nor inferred."""

    __hash__ = object.__hash__

    CHAT = "chat"
    REASONING = "reasoning"
    CODE_GENERATION = "code_generation"
    CLASSIFICATION = "classification"
    EMBEDDING = "embedding"
    SUMMARIZATION = "summarization"
    RAG = "rag"
    VISION = "vision"
    WEB_SEARCH = "web_search"
    CREATIVE_WRITING = "creative_writing"
    TRANSLATION = "translation"
    ANALYSIS = "analysis"
    SIMPLE_QA = "simple_qa"
    TESTING = "testing"
    DOCUMENTATION = "documentation"
    GENERAL = "general"


class Complexity(Enum):
    """How many steps depend on each other: one, a few, or many."""

    __hash__ = object.__hash__

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"


class BudgetTier(Enum):
    """A price ceiling in USD per million blended tokens (three of input to one of output)."""

    __hash__ = object.__hash__

    FREE = "free"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNLIMITED = "unlimited"


class Environment(Enum):
    """Where the caller runs. Development saves quotas, production wants the fastest and best."""

    __hash__ = object.__hash__

    DEVELOPMENT = "development"
    PRODUCTION = "production"
