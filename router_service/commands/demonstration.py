"""What `signalbox up` shows of a running system: a completion and a stream, and lines to try next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from signalbox.v1.router_pb2 import CompleteResponse
from signalbox_client import AsyncClient, SignalboxError
from signalbox_client.endpoint import PROBER_ADDRESS, ROUTER_ADDRESS

from router_service.commands.figures import summary
from router_service.core.settings import ROUTER_METRICS

PROMPT = "Why do trains wait at signals?"
DEMONSTRATION_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything came to serve; empty where there is none. `metrics` are the router's."""

    simulator: str
    prober: str
    router: str
    metrics: str = ""

    def named(self) -> list[tuple[str, str]]:
        pairs = [("router", self.router), ("prober", self.prober)]
        pairs += [("metrics", self.metrics), ("simulator", self.simulator)]
        return [(name, address) for name, address in pairs if address]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the router asks of who comes in."""

    has_tls: bool = False
    has_keys: bool = False

    @property
    def grpcurl(self) -> str:
        """How grpcurl is called to meet it."""
        tls = '-cacert "$SIGNALBOX_CA"' if self.has_tls else "-plaintext"
        return f"grpcurl {tls}" + (' -H "authorization: Bearer $SIGNALBOX_API_KEY"' if self.has_keys else "")


async def demonstrate(address: str, say: Callable[[str], None]) -> CompleteResponse | None:
    """One completion and one stream through the router, with what each took; a failure is told and stops nothing."""
    async with AsyncClient(address, channels=1) as client:
        try:
            whole = await client.complete(PROMPT, timeout_s=DEMONSTRATION_S)
            say(f"\n  completion  {summary(whole)}")
            stream = client.stream(PROMPT, timeout_s=DEMONSTRATION_S)
            async with stream:
                count = len([piece async for piece in stream.text()])
        except SignalboxError as error:
            say(f"\n  The demonstration failed: {error.message} [{error.reason or error.code.name}]")
            return None
        if stream.done is not None:
            first = stream.done.time_to_first_token
            say(f"  stream      {summary(stream.done.response, first)} · {count} pieces")
        return whole


def what_next(addresses: Addresses, provider: str, program: str, door: Door) -> str:
    """Lines that can be typed as they stand, where `program` runs this program."""
    router = "" if addresses.router == ROUTER_ADDRESS else f" --address {addresses.router}"
    prober = "" if addresses.prober == PROBER_ADDRESS else f" --prober-address {addresses.prober}"
    metrics = "" if addresses.metrics in ("", ROUTER_METRICS) else f" --metrics-address {addresses.metrics}"
    message = '{"messages": [{"role": "ROLE_USER", "content": "Hello"}]}'
    lines = [
        "\nIn another terminal:",
        f'  {program} complete{router} "{PROMPT}"',
        f"  {program} top{prober}{metrics}",
        f"  {door.grpcurl} {addresses.router} list",
        f"  {door.grpcurl} -d '{message}' {addresses.router} signalbox.v1.Router/Complete",
    ]
    if addresses.simulator and provider:
        faults = f"http://{addresses.simulator}/_sim/faults"
        rules = f'{{"rules": [{{"provider": "{provider}", "model": "*", "path": "*", "fault": "status=503"}}]}}'
        lines += [
            f"\nBreak {provider}, watch it being left in `{program} top{prober}{metrics}`, and mend it:",
            f"  curl -X POST {faults} -d '{rules}'",
            f"  curl -X DELETE {faults}",
        ]
    lines.append(f"\nWith `{program} up --log-level info` every request has a log line here. Ctrl-C stops everything.")
    return "\n".join(lines)
