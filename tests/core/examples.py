"""Small values that tests are built from."""

from __future__ import annotations

from router_service.core.catalog import Model, Prices, Provider, Secret, Target
from router_service.core.chat import Generation, Message, Prompt, Role
from router_service.core.deviations import Deviations
from router_service.core.request import Request, Routing

KEY = "sk-canary-key-5d1f"
"""A credential that must never be seen anywhere but in the header that carries it."""


def target(
    id: str = "groq/llama",
    *,
    price: float | None = 1.0,
    aliases: tuple[str, ...] = (),
    key: str = "",
    key_env: tuple[str, ...] = (),
    base_url: str = "http://127.0.0.1:1/v1",
    deviations: Deviations | None = None,
) -> Target:
    """A target by its id, with one price in USD per million tokens for input and output alike."""
    provider, _, model = id.partition("/")
    return Target(
        Provider(
            name=provider,
            dialect="openai",
            base_url=base_url,
            key=Secret(_value=key),
            key_env=key_env,
            deviations=deviations or Deviations(),
        ),
        Model(id=model, aliases=aliases, prices=Prices(input=price, output=price)),
    )


def prompt(text: str = "Hello", *, generation: Generation | None = None) -> Prompt:
    return Prompt(messages=(Message(role=Role.USER, content=text),), generation=generation or Generation())


def request(routing: Routing | None = None) -> Request:
    return Request(request_id="req-1", prompt=prompt(), routing=routing or Routing(), deadline=1000.0)
