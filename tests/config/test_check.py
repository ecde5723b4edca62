"""Checking a configuration: its mistakes, or else its warnings and the chain that each kind of request gets."""

from __future__ import annotations

from pathlib import Path

from router_service.config import Checked, check, simulated
from router_service.core.task import BudgetTier, TaskType

from .files import TODAY

TWO = """\
version: 1
providers:
  - {name: local, base_url: http://127.0.0.1:1, tier: local, models: [{id: small}, {id: vectors, kind: embedding}]}
  - {name: dear, base_url: https://a.example, key_env: K, models: [{id: large, prices: {input: 10, output: 20}}]}
routing:
  rules:
    - {name: no embeddings elsewhere, when: {task: embedding}, only: ["tier:local"]}
    - {name: the best, when: {task: reasoning}, prefer: [dear]}
    - {name: nobody, when: {task: rag}, prefer: [der]}
"""


def _checked(directory: Path, text: str, **environ: str) -> Checked:
    path = directory / "signalbox.yaml"
    path.write_text(text)
    return check(path, environ=environ, today=TODAY)


def test_mistakes_are_found_and_nothing_else_is_said(tmp_path: Path) -> None:
    found = _checked(tmp_path, "version: 1\nproviders: []\n")
    assert not found.is_good
    assert [(problem.line, problem.path) for problem in found.errors] == [(2, "providers")]
    assert (found.warnings, found.chains) == ((), ())


def test_every_task_and_tier_has_its_chain(tmp_path: Path) -> None:
    found = _checked(tmp_path, TWO, K="key")
    assert found.is_good
    chains = {(chain.task, chain.budget_tier): chain for chain in found.chains}
    assert chains.keys() == {(task, tier) for task in TaskType for tier in (None, *BudgetTier)}
    reasoning = chains[TaskType.REASONING, None]
    assert (reasoning.rule, reasoning.targets) == ("the best", ("dear/large", "local/small"))
    low = chains[TaskType.REASONING, BudgetTier.LOW]
    assert (low.targets, low.rejected["budget_tier"]) == (("local/small",), 1)
    assert chains[TaskType.EMBEDDING, None].targets == ("local/vectors",)


def test_a_check_warns_of_what_is_in_vain(tmp_path: Path) -> None:
    warnings = _checked(tmp_path, TWO).warnings
    assert [any(part in line for line in warnings) for part in ("dear is skipped", "prefer[0]", "'the best'")]
    assert len(warnings) == 3


def test_a_chain_without_targets_says_why(tmp_path: Path) -> None:
    found = _checked(tmp_path, TWO.replace("tier: local", "enabled: false, tier: local"))
    chain = next(chain for chain in found.chains if chain.task is TaskType.CHAT)
    assert (chain.targets, chain.rejected) == ((), {"disabled": 3})


def test_the_simulated_providers_pass() -> None:
    found = check(simulated(), environ={}, today=TODAY)
    assert (found.errors, found.warnings) == ((), ())
    chain = next(chain for chain in found.chains if chain.task is TaskType.CHAT and chain.budget_tier is None)
    assert sorted(chain.targets) == ["alder/chat-small", "birch/chat-small", "cedar/chat-small"]
