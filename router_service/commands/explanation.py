"""A plan for people: the choice in words, or all of it, with factors as bars and rejections with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from signalbox.v1.chat_pb2 import COMPLEXITY_UNSPECIFIED, TASK_TYPE_UNSPECIFIED, Complexity, TaskType
from signalbox.v1.router_pb2 import SNAPSHOT_SOURCE_PROBER, Candidate, Plan, RejectionReason

from router_service.commands.figures import MISSING, duration, usd
from router_service.commands.tables import bar, bare_table, counted, graded_bar

LONG_BAR, SHORT_BAR = 20, 5
POINTS = "points"
COST, QUOTA = "cost", "quota"
SHOWN_CANDIDATES, SHOWN_OF_A_REASON = 12, 4
HEADINGS = {
    "cost": "cost",
    "quota": "quota",
    "health": "health",
    "latency": "speed",
    "task_match": "task",
    "environment": "place",
    "capabilities": "skills",
}
"""The factors of the points, each under a word that a narrow column holds."""


def summarize(plan: Plan, console: Console) -> None:
    """The target, the fallbacks and the reason, a line each."""
    console.print(Text(plan.target or "no target", style="bold"))
    if plan.fallbacks:
        console.print(Text(f"then {', '.join(plan.fallbacks)}"))
    console.print(Text(plan.reason))
    console.print(Text(_terms(plan), style="dim"))


def explain(plan: Plan, console: Console) -> None:
    """Everything that the plan tells, at the width that the console has."""
    eligible = [c for c in plan.candidates if not c.HasField("rejection")]
    rejected = [c for c in plan.candidates if c.HasField("rejection")]
    parts: list[RenderableType] = [_headline(plan), Text(plan.reason), Text(_terms(plan), style="dim")]
    if eligible:
        parts += [Text(), _chosen(eligible[0]), Text(), _candidates(eligible, plan)]
    if plan.rejected_by_reason:
        parts += [Text(), _rejections(rejected, plan)]
    console.print(Group(*parts))


def _headline(plan: Plan) -> Text:
    if not plan.target:
        return Text("no target may serve this request", style="bold red")
    line = Text(plan.target, style="bold green")
    for fallback in plan.fallbacks:
        line.append(" → ", style="dim").append(fallback, style="")
    return line


def _terms(plan: Plan) -> str:
    """What the request was taken for and what it comes to, in one line."""
    words = [f"by {plan.strategy}" + (f", rule {plan.rule!r}" if plan.rule else "")]
    words += [_subject(plan)] if _subject(plan) else []
    if plan.target:
        has_price = plan.HasField("estimated_cost_usd_nanos")
        words.append(usd(plan.estimated_cost_usd_nanos) if has_price else "at an unknown price")
        words.append(f"about {duration(plan.expected_latency)}")
        words.append(f"quality {plan.expected_quality:.2f}")
    words.append(_health_picture(plan))
    return " · ".join(words)


def _subject(plan: Plan) -> str:
    parts = []
    if plan.task_type != TASK_TYPE_UNSPECIFIED:
        parts.append(TaskType.Name(plan.task_type).removeprefix("TASK_TYPE_").lower().replace("_", " "))
    if plan.complexity != COMPLEXITY_UNSPECIFIED:
        parts.append(Complexity.Name(plan.complexity).removeprefix("COMPLEXITY_").lower())
    told = ", ".join(parts)
    if plan.inferred and told:
        return f"{told} (inferred, {plan.inference_confidence:.0%} sure)"
    return told


def _health_picture(plan: Plan) -> str:
    if plan.snapshot.source == SNAPSHOT_SOURCE_PROBER:
        return f"health {duration(plan.snapshot.age)} old"
    return "health without a prober"


def _chosen(candidate: Candidate) -> Table:
    """The factors of the first candidate in full: name, bar, points of how many, and what they rest on."""
    shown = bare_table()
    shown.show_header = False
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True, width=LONG_BAR)
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column(overflow="fold", style="dim")
    for factor in candidate.factors:
        shown.add_row(
            factor.name.replace("_", " "),
            graded_bar(factor.points, factor.max_points, LONG_BAR),
            f"{factor.points:.1f} of {factor.max_points:.0f}",
            _basis(factor),
        )
    return shown


def _basis(factor: Candidate.Factor) -> str:
    """The value that a factor rests on, with the words that give its unit; some words hold the value already."""
    if factor.name == QUOTA or (factor.name == COST and factor.value == 0):
        return factor.note
    return f"{factor.value:.3g} {factor.note}"


def _candidates(eligible: Sequence[Candidate], plan: Plan) -> RenderableType:
    """The eligible candidates in order, a short bar for each factor."""
    names = [name for name in HEADINGS if any(f.name == name for c in eligible for f in c.factors)]
    has_classes = any(candidate.preference_class for candidate in eligible)
    shown = bare_table(padding=1)
    shown.add_column("", justify="right", style="dim", no_wrap=True)
    shown.add_column("candidate", overflow="fold", ratio=1)
    if has_classes:
        shown.add_column("rank", justify="right", no_wrap=True)
    shown.add_column("score", justify="right", no_wrap=True)
    for name in names:
        shown.add_column(HEADINGS[name], no_wrap=True)
    for place, candidate in enumerate(eligible[:SHOWN_CANDIDATES], start=1):
        by_name = {factor.name: factor for factor in candidate.factors}
        bars = [
            graded_bar(by_name[name].points, by_name[name].max_points, SHORT_BAR) if name in by_name else Text(MISSING)
            for name in names
        ]
        rank = [str(candidate.preference_class)] if has_classes else []
        style = "bold" if candidate.target == plan.target else ""
        shown.add_row(str(place), Text(candidate.target, style=style), *rank, _score(candidate, plan), *bars)
    more = len(eligible) - SHOWN_CANDIDATES
    return Group(shown, Text(f"and {more} more that could serve", style="dim")) if more > 0 else shown


def _score(candidate: Candidate, plan: Plan) -> str:
    return f"{candidate.score:.1f}" if plan.strategy == POINTS else f"{candidate.score:.3g}"


def _rejections(rejected: Sequence[Candidate], plan: Plan) -> RenderableType:
    """By reason, the most frequent first: how many, and the first of them with the bound that each broke."""
    total = sum(count.count for count in plan.rejected_by_reason)
    most = max(count.count for count in plan.rejected_by_reason)
    parts: list[RenderableType] = [Text(f"rejected {total}", style="bold")]
    ordered = sorted(rejected, key=lambda c: c.rejection.reason)
    details = {reason: list(group) for reason, group in groupby(ordered, key=lambda c: c.rejection.reason)}
    for count in plan.rejected_by_reason:
        name = RejectionReason.Name(count.reason).removeprefix("REJECTION_REASON_").lower().replace("_", " ")
        line = Text.assemble((f"{name} ", ""), (bar(count.count / most, LONG_BAR), "red"), f" {count.count}")
        parts.append(line)
        shown = details.get(count.reason, [])[:SHOWN_OF_A_REASON]
        if shown:
            parts.append(Padding(_details(shown), (0, 0, 0, 2)))
        if shown and count.count > len(shown):
            parts.append(Padding(Text(f"and {counted(count.count - len(shown), 'more target')}", style="dim"), (0, 2)))
    return Group(*parts)


def _details(rejected: Sequence[Candidate]) -> Table:
    shown = bare_table()
    shown.show_header = False
    shown.add_column(overflow="fold", ratio=2)
    shown.add_column(overflow="fold", ratio=3, style="dim")
    for candidate in rejected:
        shown.add_row(candidate.target, candidate.rejection.detail)
    return shown
