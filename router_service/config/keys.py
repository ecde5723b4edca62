"""Fetches a provider's key from the environment or from a file, and shows it to nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from router_service.config.entries import ProviderEntry
from router_service.core.catalog import Secret
from router_service.files import read_file

MAX_KEY_BYTES = 16 * 1024
NO_KEY = Secret(_value="")


def fetch_key(entry: ProviderEntry, environ: Mapping[str, str], directory: Path) -> tuple[Secret, str]:
    """The key and, where a source holds something that cannot be one, a sentence on it; no key at all is no error.

    A relative `key_file` is looked for in `directory`, that of the configuration file.
    """
    for name in entry.key_env:
        if key := environ.get(name, "").strip():
            return _checked(key, f"the variable {name}")
    if entry.key_file is None:
        return NO_KEY, ""
    try:
        content = read_file(directory / entry.key_file, most_bytes=MAX_KEY_BYTES)
    except FileNotFoundError:
        return NO_KEY, ""
    except OSError as e:
        return NO_KEY, f"the key's file cannot be read: {(e.strerror or type(e).__name__).lower()}"
    # Bytes beyond ASCII become characters that the check refuses.
    return _checked(content.decode("latin-1").strip(), "the key's file")


def _checked(key: str, where: str) -> tuple[Secret, str]:
    """A key travels in a header: printable ASCII without spaces, or a line break could forge another header."""
    if all("!" <= character <= "~" for character in key):
        return Secret(_value=key), ""
    return NO_KEY, f"{where} holds spaces or characters that no key has"
