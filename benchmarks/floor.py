"""The floor: a bare grpc.aio server on uvloop that posts a fixed body upstream with aiohttp and decides nothing.

What the router adds is measured against it: no server in Python that calls an HTTP upstream for each call can do with
less, as long as both libraries stay what they are. It neither reads its request nor makes its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import grpc
import uvloop

from benchmarks.payload import ANSWER_TOKENS, Ask

SERVICE = "signalbox.v1.Router"
HEADERS = {"content-type": "application/json"}
# The stubs know these as generics, the library does not: hence the quotes.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Floor:
    """`answer` is sent for each Complete as it stands, `plan` for each Route; a stream is passed on as bytes, a message
    for each read.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, answer: bytes, plan: bytes, stream_tokens: int
    ) -> None:
        self._session = session
        self._url = url
        self._answer = answer
        self._plan = plan
        self._body = Ask(output_tokens=ANSWER_TOKENS, is_stream=False).to_upstream()
        self._stream_body = Ask(output_tokens=stream_tokens, is_stream=True).to_upstream()

    async def complete(self, _request: bytes, _context: Context) -> bytes:
        async with self._session.post(self._url, data=self._body, headers=HEADERS) as response:
            await response.read()
        return self._answer

    async def route(self, _request: bytes, _context: Context) -> bytes:
        """An empty call: what the library itself costs."""
        return self._plan

    async def stream(self, _request: bytes, context: Context) -> None:
        async with self._session.post(self._url, data=self._stream_body, headers=HEADERS) as response:
            while data := await response.content.readany():
                await context.write(data)


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description="Serve the floor of the benchmark.")
    parser.add_argument("--upstream", required=True, metavar="URL", help="of the upstream's chat completions")
    parser.add_argument("--answer-bytes", required=True, type=int, metavar="N", help="size of a single call's answer")
    parser.add_argument("--plan-bytes", required=True, type=int, metavar="N", help="size of a Route's answer")
    parser.add_argument("--stream-tokens", required=True, type=int, metavar="N", help="length of a streamed answer")
    parser.add_argument("--ready-file", required=True, type=Path, metavar="PATH")
    uvloop.run(_serve(parser.parse_args()))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        floor = Floor(
            session,
            options.upstream,
            answer=bytes(options.answer_bytes),
            plan=bytes(options.plan_bytes),
            stream_tokens=options.stream_tokens,
        )
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handlers: dict[str, Handler] = {
            "Complete": grpc.unary_unary_rpc_method_handler(floor.complete),
            "Route": grpc.unary_unary_rpc_method_handler(floor.route),
            "StreamComplete": grpc.unary_stream_rpc_method_handler(floor.stream),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        tell_ready(options.ready_file, "floor", f"127.0.0.1:{port}")
        await stop.wait()
        await server.stop(0)


def tell_ready(path: Path, name: str, address: str) -> None:
    """Name the address in one step: a reader sees the whole file or none."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), name: address}))
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
