"""A place for spans to go: an OTLP collector that takes every batch and keeps none, so that tracing costs its full."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import uvloop

from benchmarks.floor import tell_ready

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
# The stubs know these as generics, the library does not: hence the quotes.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collector", description="Take spans and drop them.")
    parser.add_argument("--ready-file", required=True, type=Path, metavar="PATH")
    uvloop.run(_serve(parser.parse_args().ready_file))
    return 0


async def _serve(ready_file: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, Handler] = {"Export": grpc.unary_unary_rpc_method_handler(_take)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tell_ready(ready_file, "collector", f"127.0.0.1:{port}")
    await stop.wait()
    await server.stop(0)


async def _take(_batch: bytes, _context: Context) -> bytes:
    """An empty message is a whole ExportTraceServiceResponse: everything was taken."""
    return b""


if __name__ == "__main__":
    sys.exit(main())
