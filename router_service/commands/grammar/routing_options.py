"""The options that say how a request is to be routed: each fills a field of the contract's Routing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from router_service.commands.grammar import options
from router_service.core.prices import NANOS_PER_USD
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from router_service.interrupt import loading

if TYPE_CHECKING:
    from signalbox.v1.router_pb2 import Routing

MOST_USD = 1_000_000.0
MOST_S = 86_400.0
Command = TypeVar("Command", bound=Callable[..., object])
Result = TypeVar("Result")
Fill = Callable[["Routing", Any], None]


def routing_options(command: Command) -> Command:
    """The options of a command that asks for a decision, in the order in which `--help` shows them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def pass_routing(command: Callable[..., Result]) -> Callable[..., Result]:
    """Hands the command the Routing that its options filled, as its first argument."""

    @wraps(command)
    def run(*arguments: Any, **others: Any) -> Result:
        return command(_routing(click.get_current_context()), *arguments, **others)

    return run


def pairs(_ctx: click.Context, _param: click.Parameter, values: Iterable[str]) -> dict[str, str]:
    """The callback of options that take NAME=VALUE, any number of times."""
    found: dict[str, str] = {}
    for text in values:
        options.utf8(_ctx, _param, text)
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} has to be NAME=VALUE")
        found[name] = value
    return found


def _routing(ctx: click.Context) -> Routing:
    """The one that the options of this command line fill."""
    with loading():
        from signalbox.v1.router_pb2 import Routing
    return ctx.ensure_object(Routing)


def _option(*names: str, fill: Fill, **looks: Any) -> Callable[[Command], Command]:
    """An option that goes into the Routing and not into the command's arguments. What was not given fills nothing."""

    def take(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                options.utf8(ctx, param, text)
            if isinstance(text, float):
                options.finite(ctx, param, text)
        if value is not None and value is not False and value != ():
            try:
                fill(_routing(ctx), value)
            except ValueError as error:
                raise click.BadParameter(str(error)) from error

    return click.option(*names, callback=take, expose_value=False, **looks)


def _chosen(field: str, kind: type[Enum], prefix: str) -> Fill:
    """Takes a value of `kind` by its name on the wire."""

    def fill(routing: Routing, value: str) -> None:
        with loading():
            from signalbox.v1 import chat_pb2
        setattr(routing, field, getattr(chat_pb2, f"{prefix}_{kind(value).name}"))

    return fill


def _plain(field: str) -> Fill:
    return lambda routing, value: setattr(routing, field, value)


def _listed(field: str) -> Fill:
    return lambda routing, value: getattr(routing, field).extend(value)


def _max_cost(routing: Routing, value: float) -> None:
    routing.max_cost_usd_nanos = round(value * NANOS_PER_USD)


def _max_latency(routing: Routing, value: float) -> None:
    routing.max_latency.FromNanoseconds(round(value * 1e9))


def _weights(routing: Routing, values: Iterable[str]) -> None:
    for text in values:
        name, equals, number = text.partition("=")
        if not name or not equals:
            raise ValueError(f"{text!r} has to be FACTOR=NUMBER")
        try:
            routing.weights[name] = float(number)
        except ValueError:
            raise ValueError(f"{number!r} is no number") from None


def _choice(kind: type[Enum]) -> click.Choice[str]:
    return click.Choice([member.value for member in kind], case_sensitive=False)


_OPTIONS = (
    _option("--task", fill=_chosen("task_type", TaskType, "TASK_TYPE"), type=_choice(TaskType), help="What it is for."),
    _option(
        "--complexity",
        fill=_chosen("complexity", Complexity, "COMPLEXITY"),
        type=_choice(Complexity),
        help="How hard it is; like the task, it is inferred from the prompt otherwise.",
    ),
    _option("--strategy", fill=_plain("strategy"), metavar="NAME", help="How to decide; else the router's setting."),
    _option(
        "--budget-tier",
        fill=_chosen("budget_tier", BudgetTier, "BUDGET_TIER"),
        type=_choice(BudgetTier),
        help="The price ceiling.",
    ),
    _option("--region", fill=_plain("region"), metavar="NAME", help="Where data may be processed, for example eu."),
    _option(
        "--environment",
        fill=_chosen("environment", Environment, "ENVIRONMENT"),
        type=_choice(Environment),
        help="Where you run.",
    ),
    _option(
        "--model",
        fill=_plain("model"),
        metavar="NAME",
        shell_complete=options.model_names,
        help="A model, an alias or a target.",
    ),
    _option("--speed-critical", fill=_plain("speed_critical"), is_flag=True, help="Time counts most."),
    _option("--prefer-cheap", fill=_plain("prefer_cheap"), is_flag=True, help="A lower price is worth more."),
    _option("--prefer-self-hosted", fill=_plain("prefer_self_hosted"), is_flag=True, help="Your own targets first."),
    _option(
        "--max-cost", fill=_max_cost, type=click.FloatRange(0, MOST_USD), metavar="USD", help="For the whole request."
    ),
    _option(
        "--max-latency",
        fill=_max_latency,
        type=click.FloatRange(0, MOST_S, min_open=True),
        metavar="SECONDS",
        help="The most that the answer may be expected to take.",
    ),
    _option(
        "--min-quality",
        fill=_plain("min_quality"),
        type=click.FloatRange(0, 1),
        metavar="0..1",
        help="The least quality that may be expected.",
    ),
    _option(
        "--require",
        fill=_listed("required_capabilities"),
        multiple=True,
        metavar="CAPABILITY",
        help="What the target must be able to do.",
    ),
    _option(
        "--prefer",
        fill=_listed("preferred_capabilities"),
        multiple=True,
        metavar="CAPABILITY",
        help="What it had better be able to do.",
    ),
    _option(
        "--allow",
        fill=_listed("allowed_providers"),
        multiple=True,
        metavar="PROVIDER",
        shell_complete=options.provider_names,
        help="Only these.",
    ),
    _option(
        "--deny",
        fill=_listed("denied_providers"),
        multiple=True,
        metavar="PROVIDER",
        shell_complete=options.provider_names,
        help="None of these.",
    ),
    _option(
        "--compliance",
        fill=_listed("required_compliance"),
        multiple=True,
        metavar="TAG",
        help="gdpr, eu_data_residency, soc2 or hipaa.",
    ),
    _option(
        "--requires-compliance",
        fill=_plain("requires_compliance"),
        is_flag=True,
        help="gdpr for the region eu, soc2 elsewhere.",
    ),
    _option("--requires-sla", fill=_plain("requires_sla"), is_flag=True, help="Only with a service level agreement."),
    _option(
        "--weight",
        fill=_weights,
        multiple=True,
        metavar="FACTOR=NUMBER",
        help="Multiplies a factor of the points by 0 to 10.",
    ),
)
