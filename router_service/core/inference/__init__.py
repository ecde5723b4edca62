"""Task type and complexity, inferred from the prompt where a caller leaves them out."""

from router_service.core.inference.infer import Inference, infer

__all__ = ["Inference", "infer"]
