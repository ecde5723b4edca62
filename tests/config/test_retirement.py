"""Models that retire: a warning thirty days before, and the replacement in their place from the day on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from router_service.core.settings import Settings

from .files import load_text

OLD = """\
version: 1
providers:
  - name: p
    base_url: https://p.example
    limits: [{unit: requests, per: minute, max: 5, models: [old]}]
    models:
      - {id: old, alias: [smart], roles: [complex], retires: 2027-03-31, replacement: new}
      - {id: new, alias: [fresh], roles: [default]}
routing: {auto_upgrade: AUTO}
"""


def _on(directory: Path, day: str, *, upgrade: bool, text: str = OLD) -> Settings:
    return load_text(directory, text.replace("AUTO", str(upgrade).lower()), today=date.fromisoformat(day))


@pytest.mark.parametrize("upgrade", [True, False])
@pytest.mark.parametrize(("day", "warns"), [("2027-02-28", False), ("2027-03-01", True), ("2027-03-30", True)])
def test_thirty_days_before_there_is_a_warning(tmp_path: Path, day: str, warns: bool, upgrade: bool) -> None:
    settings = _on(tmp_path, day, upgrade=upgrade)
    expected = ("p/old retires on 2027-03-31; its replacement is p/new",) if warns else ()
    assert settings.warnings == expected
    assert all(target.model.is_enabled for target in settings.catalog.targets)


def test_without_auto_upgrade_a_retired_model_stays(tmp_path: Path) -> None:
    settings = _on(tmp_path, "2027-03-31", upgrade=False)
    assert [target.model.is_enabled for target in settings.catalog.targets] == [True, True]
    (line,) = settings.warnings
    assert "until its provider refuses it" in line
    assert "routing.auto_upgrade: true" in line


def test_with_auto_upgrade_the_replacement_goes_by_its_names_and_roles(tmp_path: Path) -> None:
    settings = _on(tmp_path, "2027-03-31", upgrade=True)
    old, new = settings.catalog.targets
    assert (old.model.is_enabled, new.model.is_enabled) == (False, True)
    assert new.model.roles == {"default", "complex"}
    for name in ("p/old", "old", "smart", "p/new", "new", "fresh"):
        assert new.answers_to(name)
    assert settings.warnings == ("p/old has retired on 2027-03-31: p/new takes its place",)


def test_a_limit_of_the_retired_model_holds_for_its_replacement(tmp_path: Path) -> None:
    (limit,) = _on(tmp_path, "2027-04-01", upgrade=True).catalog.providers[0].limits
    assert limit.models == {"old", "new"}


def test_a_replacement_that_has_retired_as_well_hands_on(tmp_path: Path) -> None:
    text = OLD.replace("alias: [fresh]", "retires: 2027-04-01, replacement: newest, alias: [fresh]").replace(
        "routing:", "      - {id: newest}\nrouting:"
    )
    settings = _on(tmp_path, "2027-05-01", upgrade=True, text=text)
    assert [target.model.is_enabled for target in settings.catalog.targets] == [False, False, True]
    assert settings.catalog.targets[2].answers_to("smart")
    assert settings.catalog.targets[2].answers_to("fresh")


@pytest.mark.parametrize(
    "change",
    [
        ("replacement: new", "context: 1"),
        ("{id: new,", "{id: new, enabled: false,"),
        ("{id: new,", "{id: new, retires: 2027-01-01, replacement: old,"),
    ],
)
def test_without_a_replacement_in_service_a_retired_model_stays(tmp_path: Path, change: tuple[str, str]) -> None:
    settings = _on(tmp_path, "2027-05-01", upgrade=True, text=OLD.replace(*change))
    assert settings.catalog.targets[0].model.is_enabled
    assert any("p/old has retired" in line and "until its provider refuses it" in line for line in settings.warnings)


def test_what_is_switched_off_is_not_talked_of(tmp_path: Path) -> None:
    text = OLD.replace("{id: old,", "{id: old, enabled: false,")
    assert _on(tmp_path, "2027-05-01", upgrade=True, text=text).warnings == ()
