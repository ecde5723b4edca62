"""Regions by name: which lies in which."""

from __future__ import annotations


def is_in(place: str, region: str) -> bool:
    """Whether `place` is `region` or a part of it, as `eu-west` is of `eu`. Capitals make no difference."""
    place, region = place.casefold(), region.casefold()
    return place == region or (bool(region) and place.startswith(f"{region}-"))
