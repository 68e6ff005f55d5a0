"""Runs verbs in forked processes, so that a test does not wait for the imports of each.

One request a line on stdin, as JSON: the verb's arguments, where its stdout and stderr go, and
where to die. Each is answered by the process's number and, when it has ended, by its exit code,
which is negative for a signal.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import rich.table  # noqa: F401
import torch._dynamo  # noqa: F401  torch's optimizers import it when they are made

import unmask.data.prepare
import unmask.infer.engine
import unmask.recipe.pretrain  # noqa: F401
from unmask.cli.application import main
from unmask.train import curve

WRITING = os.O_WRONLY | os.O_RDWR


def die_at(event: str, path: str, times: int) -> None:
    """Kills this process the `times`-th time before an audited `event` on a path with `path`."""
    left = times

    def hear(heard: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if heard != event or path not in str(arguments[0]):
            return
        if event == "open" and not (int(arguments[2]) & WRITING):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def become(request: dict[str, Any]) -> NoReturn:
    """Turns this forked process into the verb."""
    for stream, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), stream)
    sys.argv = ["unmask", *request["arguments"]]
    if request["die"] is not None:
        die_at(*request["die"])
    exit_code = 0
    try:
        main()
    except SystemExit as ended:
        exit_code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    os._exit(exit_code)  # taking down all that was imported would take longer than most verbs


def serve() -> None:
    """Forks once a line until stdin ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


curve.draw([], 1.0, Path(os.devnull))  # loads fonts
gc.freeze()
serve()
