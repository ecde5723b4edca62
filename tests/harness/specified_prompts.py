"""Prompts of the classes that the specification names, in its words and in others, and the shipped rule for each."""

from __future__ import annotations

from dataclasses import dataclass

from router_service.core.task import Complexity, TaskType


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class of prompts: what each of them is for, how hard it is, and the rule that it meets."""

    task: TaskType
    complexity: Complexity
    rule: str
    prompts: tuple[str, ...]


SPECIFIED = (
    Class(
        task=TaskType.REASONING,
        complexity=Complexity.COMPLEX,
        rule="13 reasoning, complex",
        prompts=(
            "Design the architecture of a payment system",
            "Design a scalable architecture for a chat app",
            "Plan a multi-step migration from Oracle to Postgres",
            "Plan the steps to migrate our monolith to microservices",
            "Break the migration of our billing system into phases and plan each step",
            "Help me debug a null pointer in my service",
            "Find the bug in my service, it crashes with a null pointer",
            "Please do a code review of this",
            "Review my pull request for security problems",
            "Review this code for security issues",
            "Check this code for SQL injection",
            "Is this code safe against XSS?",
            "Audit this login handler for security holes",
        ),
    ),
    Class(
        task=TaskType.CODE_GENERATION,
        complexity=Complexity.COMPLEX,
        rule="14 code, complex",
        prompts=(
            "Refactor the payment module",
            "Please refactor the order service into smaller modules",
            "Implement a complex feature: undo with conflict resolution",
            "Write a complex feature: multi-tenant billing with proration, retries and an audit log",
            "Implement a complete e-commerce backend with auth, payments, retries and idempotency",
            "Implement a complete e-commerce backend with user accounts, payments, inventory and order tracking",
            "Build a full payment backend with refunds, webhooks, retries and an audit log",
        ),
    ),
    Class(
        task=TaskType.CODE_GENERATION,
        complexity=Complexity.SIMPLE,
        rule="20 code, simple",
        prompts=(
            "Write boilerplate for a Flask app",
            "Give me a basic Flask boilerplate",
            "Generate the boilerplate of an Express server",
            "Write a simple function that adds two numbers",
            "Write a function that adds two numbers",
            "Write a simple function that reverses a string",
            "Write a basic Python function to reverse a list",
            "Write a short function that checks whether a number is prime",
            "Write a function to check if a number is prime",
            "Write me a small function that rounds a price",
            "Create a simple method to compute the area of a circle",
            "Schreibe eine einfache Funktion, die zwei Zahlen addiert",
            "Ecris une fonction Python qui trie une liste",
            "你好,请帮我写一个快速排序函数",
        ),
    ),
    Class(
        task=TaskType.CLASSIFICATION,
        complexity=Complexity.SIMPLE,
        rule="3 classification",
        prompts=(
            "What is the intent of this message: 'cancel my order'",
            "What is the intent of this message: I want my money back",
            "What's the intent behind this sentence: where is my parcel",
            "Determine the user's intent: book a flight to Paris",
            "What is the sentiment of: great product",
            "What is the sentiment of: I hate this",
            "What sentiment does this review have: it broke after a day",
            "Which category does this belong to: sports, politics",
            "Which of these categories fits: billing, shipping, returns",
            "Answer yes or no: is this a refund request? 'money back!'",
            "Yes or no: is this message a complaint? It never arrived.",
        ),
    ),
)
