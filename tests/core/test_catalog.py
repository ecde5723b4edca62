"""Providers, models and targets."""

from __future__ import annotations

import dataclasses

import pytest

from router_service.core.catalog import Catalog, Prices, Secret
from tests.core.examples import KEY, target


def test_target_id_keeps_the_slashes_of_the_model() -> None:
    assert target("groq/openai/gpt-oss-120b").id == "groq/openai/gpt-oss-120b"


@pytest.mark.parametrize(
    ("name", "is_meant"),
    [("groq/llama", True), ("llama", True), ("fast", True), ("groq", False), ("", False), ("LLAMA", False)],
)
def test_target_answers_to_its_names(name: str, *, is_meant: bool) -> None:
    assert target("groq/llama", aliases=("fast",)).answers_to(name) is is_meant


@pytest.mark.parametrize(
    ("prices", "blended"),
    [
        (Prices(input=1.0, output=5.0), 2.0),
        (Prices(input=0.0, output=0.0), 0.0),
        (Prices(input=1.0), None),
        (Prices(output=1.0), None),
        (Prices(), None),
    ],
)
def test_blended_price(prices: Prices, blended: float | None) -> None:
    assert prices.blended == blended


@pytest.mark.parametrize(
    ("key", "key_env", "is_usable"), [("", (), True), ("k", ("KEY",), True), ("", ("KEY",), False), ("k", (), True)]
)
def test_provider_without_its_key_is_skipped(key: str, key_env: tuple[str, ...], *, is_usable: bool) -> None:
    assert target(key=key, key_env=key_env).provider.is_usable is is_usable


@pytest.mark.parametrize("value", [Secret(_value=KEY), target(key=KEY).provider, target(key=KEY), [Secret(_value=KEY)]])
def test_secret_shows_itself_to_nobody(value: object) -> None:
    for shown in (repr(value), str(value), f"{value}", f"{value!r:>200}"):
        assert KEY not in shown


def test_secret_is_revealed_by_name() -> None:
    assert Secret(_value=KEY).reveal() == KEY


def test_secret_is_as_true_as_its_value() -> None:
    assert Secret(_value="x")
    assert not Secret(_value="")
    assert repr(Secret(_value="")) == "Secret()"


def test_catalog_finds_targets() -> None:
    one, two, three = target("a/x", aliases=("fast",)), target("a/y"), target("b/x", aliases=("fast",))
    catalog = Catalog(targets=(one, two, three), version="7")
    assert [p.name for p in catalog.providers] == ["a", "b"]
    assert catalog.by_id == {"a/x": one, "a/y": two, "b/x": three}
    assert catalog.named("") == catalog.named("auto") == (one, two, three)
    assert catalog.named("fast") == catalog.named("x") == (one, three)
    assert catalog.named("a/y") == (two,)
    assert catalog.named("nobody") == ()


def test_values_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        target().provider.name = "other"  # type: ignore[misc]
