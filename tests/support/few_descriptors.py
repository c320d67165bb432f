"""A web server whose process may open few files: `python -m tests.support.few_descriptors NUMBER`.

It writes its port, serves until its input ends, and then writes what it logged.
"""

import asyncio
import json
import resource
import socket
import sys

import uvicorn
import uvloop
from structlog.testing import capture_logs

from tests.support.raw_http import Server, answer_204
from upbridge.core.telemetry.loop_watch import watch_loop
from upbridge.web.http_protocol import BoundedProtocol, backlog


async def main(descriptors: int) -> None:
    """Serve."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        answer_204, http=BoundedProtocol, ws="none", lifespan="off", log_config=None, backlog=backlog()
    )
    server = Server(config)
    with capture_logs() as logs:
        serving = asyncio.create_task(server.run_on(listening))
        watching = asyncio.create_task(watch_loop())
        await server.listens.wait()
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        watching.cancel()
        server.should_exit = True
        await serving
    sys.stdout.write(json.dumps({"log": [one["event"] for one in logs]}) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
