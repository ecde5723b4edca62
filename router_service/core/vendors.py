"""Whose API a base URL leads to, by the names that OpenTelemetry's GenAI conventions have for it."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://(?P<host>[^/:]+)(:[0-9]+)?(?P<path>.*)", re.IGNORECASE)
_PLACES = tuple(
    (re.compile(place), vendor)
    for place, vendor in (
        (r"([^/]+\.)?openai\.com/", "openai"),
        (r"[^/]+\.(openai|cognitiveservices)\.azure\.com/", "azure.ai.openai"),
        (r"[^/]+\.services\.ai\.azure\.com/openai/", "azure.ai.openai"),
        (r"[^/]+\.(services\.ai|models\.ai|inference\.ml)\.azure\.com/", "azure.ai.inference"),
        (r"([^/]+\.)?anthropic\.com/", "anthropic"),
        (r"generativelanguage\.googleapis\.com/", "gcp.gemini"),
        (r"([^/]+[-.])?aiplatform\.googleapis\.com/", "gcp.vertex_ai"),
        (r"bedrock[a-z-]*\.[^/]+\.amazonaws\.com(\.cn)?/", "aws.bedrock"),
        (r"([^/]+\.)?mistral\.ai/", "mistral_ai"),
        (r"([^/]+\.)?cohere\.(com|ai)/", "cohere"),
        (r"([^/]+\.)?groq\.com/", "groq"),
        (r"([^/]+\.)?deepseek\.com/", "deepseek"),
        (r"([^/]+\.)?perplexity\.ai/", "perplexity"),
        (r"([^/]+\.)?x\.ai/", "x_ai"),
        (r"[^/]+\.ml\.cloud\.ibm\.com/", "ibm.watsonx.ai"),
    )
)
"""Host and beginning of the path, the first that matches. The conventions ask for these names wherever they apply."""


def vendor_at(base_url: str) -> str:
    """The vendor's name; empty where the conventions have none for who is there."""
    url = _URL.fullmatch(base_url)
    if url is None:
        return ""
    place = f"{url['host'].lower()}{url['path']}/"
    return next((vendor for pattern, vendor in _PLACES if pattern.match(place)), "")
