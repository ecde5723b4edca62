"""How the router ends: it says so, lets balancers notice and calls finish, and ends those that do not."""

from __future__ import annotations

import asyncio
import signal

import grpc

from router_service.core.settings import ServerSettings
from router_service.rpc.call import CallFrame
from router_service.rpc.process import exit_code
from router_service.rpc.server import StandardServices
from router_service.service.admission import Admission

FAILED = 1
LEFTOVERS_S = 0.5
"""So long before the end of the drain, calls still running hear from us that the router stops; the library's own word
at the end has no details."""


class Stop:
    """Signals as they come: the first asks for a drain, the second for an end at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self._numbers: list[signal.Signals] = []

    def heard(self, number: signal.Signals) -> None:
        (self.insisted if self.asked.is_set() else self.asked).set()
        self._numbers.append(number)

    @property
    def is_interactive(self) -> bool:
        """Whether somebody pressed Ctrl-C, and waits."""
        return signal.SIGINT in self._numbers

    @property
    def exit_code(self) -> int:
        """Ended at once, calls were cut off, which is no good end."""
        return FAILED if self.insisted.is_set() else exit_code(self._numbers)


async def serve_until_told(
    stop: Stop,
    server: grpc.aio.Server,
    standard: StandardServices,
    admission: Admission,
    frame: CallFrame,
    settings: ServerSettings,
) -> int:
    """Serve; then say so before it ends, let balancers notice, let calls finish, and end those that do not."""
    await stop.asked.wait()
    await standard.not_ready()
    try:
        async with asyncio.timeout(0 if stop.is_interactive else settings.lame_duck_s):
            await stop.insisted.wait()
    except TimeoutError:
        pass
    admission.drain()
    leftovers = asyncio.get_running_loop().call_later(
        max(0.0, settings.drain_s - LEFTOVERS_S), _give_up, admission, frame
    )
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(server.stop(settings.drain_s))
        insisting = group.create_task(stop.insisted.wait())
        await asyncio.sleep(0)  # the stop begins: from here on new calls are refused
        standard.end_streams()
        await asyncio.wait({stopping, insisting}, return_when=asyncio.FIRST_COMPLETED)
        leftovers.cancel()
        if insisting.done():
            await server.stop(0)
        insisting.cancel()
    return stop.exit_code


def _give_up(admission: Admission, frame: CallFrame) -> None:
    admission.give_up()
    frame.end_leftovers()
