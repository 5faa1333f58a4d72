"""A real PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port of 127.0.0.1, ended with the session.

Belongs here: making, asking, stopping and starting it. Does not: what is asked of it through Watchkeeper (the tests).
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "s3cr@t/of:tests"  # noqa: S105 - of a server that lives as long as the tests
_ENCODED = "s3cr%40t%2Fof%3Atests"
_QUICK = "fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "timezone=UTC"
_PATIENCE_S = 60.0
_KEEPER = 'trap "" INT TERM; (trap - INT TERM; exec "$@") & read _; kill -INT $!; wait $!'
"""Runs a server until the end of its own standard input, which comes with the end of who holds the other end."""


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps off the path; the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """A cluster that can be asked, stopped and started."""

    def __init__(self, bin_: Path, folder: Path) -> None:
        self.bin, self.folder, self.port = bin_, folder, _free_port()
        self.owner = _not_root()
        self.keeper: subprocess.Popen[bytes] | None = None
        if self.owner is not None:
            os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
        (folder / "password").write_text(PASSWORD)
        self._run("initdb", "-D", str(folder / "data"), "-A", "scram-sha-256", "-U", "wk", f"--pwfile={folder / 'password'}", "-N", "-E", "UTF8")

    @property
    def _as_owner(self) -> dict[str, Any]:
        return {} if self.owner is None else {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([self.bin / program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **self._as_owner)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it and wait until it answers; it ends with the process of the tests, however that ends."""
        settings = [part for setting in _QUICK for part in ("-c", setting)]
        program = [str(self.bin / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder), *settings]
        with (self.folder / "log").open("ab") as log:
            self.keeper = subprocess.Popen(
                ["sh", "-c", _KEEPER, "keeper", *program], cwd=self.folder, stdin=subprocess.PIPE, stdout=log, stderr=log, **self._as_owner
            )
        deadline = time.monotonic() + _PATIENCE_S
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            assert self.is_running, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    @property
    def is_running(self) -> bool:
        """Tell whether it was started and not stopped since."""
        return self.keeper is not None and self.keeper.poll() is None

    def stop(self) -> None:
        """Stop it; who reads from it is cut off."""
        assert self.keeper is not None
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()
        self.keeper.wait(_PATIENCE_S)

    def url(self, database: str, *, user: str = "wk", password: str = _ENCODED) -> str:
        """Return the address of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def ask(self, database: str, *statements: str) -> str:
        """Run statements as people do, each in a transaction of its own; return what was printed."""
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        given = [part for s in statements for part in ("-c", s)]
        command = [self.bin / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "wk", "-d", database, "-qAt", "-v", "ON_ERROR_STOP=1", *given]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _not_root() -> pwd.struct_passwd | None:
    """Return who shall own the cluster where we are root, as which PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def required() -> Path:
    """Return where PostgreSQL's programs are; skip where there are none."""
    found = programs()
    return found if found is not None else pytest.skip("needs PostgreSQL: apt-get install postgresql")


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a cluster while the body does; skip where there is no PostgreSQL."""
    found = required()
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-postgres-"))  # pytest's own folders are closed to other users
    try:
        cluster = Postgres(found, folder)
        cluster.start()
        try:
            yield cluster
        finally:
            if cluster.is_running:
                cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The cluster of this session."""
    with running() as cluster:
        yield cluster


@pytest.fixture
def postgres(postgres_server: Postgres, request: pytest.FixtureRequest) -> Iterator["Database"]:
    """A database of the test's own in the session's cluster."""
    if not postgres_server.is_running:
        postgres_server.start()
    name = f"t{abs(hash(request.node.nodeid)):x}"
    postgres_server.ask("postgres", f"create database {name}")
    yield Database(postgres_server, name)
    if not postgres_server.is_running:
        postgres_server.start()
    postgres_server.ask("postgres", f"drop database {name} with (force)")


class Database:
    """One database of the cluster."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server, self.name = server, name

    @property
    def url(self) -> str:
        """Its address, password and all."""
        return self.server.url(self.name)

    def do(self, *statements: str) -> str:
        """Run statements."""
        return self.server.ask(self.name, *statements)
