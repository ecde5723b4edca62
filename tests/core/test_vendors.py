"""Whose API a base URL leads to, by the names of the GenAI conventions."""

from __future__ import annotations

import pytest

from router_service.core.catalog import Model, Provider, Target
from router_service.core.vendors import vendor_at


@pytest.mark.parametrize(
    ("base_url", "vendor"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://ours.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://ours.cognitiveservices.azure.com/openai/v1", "azure.ai.openai"),
        ("https://ours.services.ai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://ours.services.ai.azure.com/models", "azure.ai.inference"),
        ("https://api.anthropic.com", "anthropic"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gcp.gemini"),
        ("https://aiplatform.googleapis.com/v1/projects/p/locations/global", "gcp.vertex_ai"),
        ("https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4", "gcp.vertex_ai"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("https://api.mistral.ai/v1", "mistral_ai"),
        ("https://api.cohere.com", "cohere"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.groq.com:443/openai/v1", "groq"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.perplexity.ai", "perplexity"),
        ("https://API.X.AI/v1", "x_ai"),
        ("https://us-south.ml.cloud.ibm.com/ml/gateway/v1", "ibm.watsonx.ai"),
        ("https://api.together.ai/v1", ""),
        ("https://openai.com.example.net/v1", ""),
        ("https://notopenai.com/v1", ""),
        ("https://xx.ai/v1", ""),
        ("https://example.net/api.openai.com/v1", ""),
        ("http://127.0.0.1:11434/v1", ""),
        ("http://[::1]:8080/v1", ""),
        ("simulator:/alder/v1", ""),
    ],
)
def test_a_base_url_tells_its_vendor(base_url: str, vendor: str) -> None:
    assert vendor_at(base_url) == vendor
    target = Target(Provider(name="ours", dialect="openai", base_url=base_url), Model(id="m"))
    assert target.vendor == (vendor or "ours")
