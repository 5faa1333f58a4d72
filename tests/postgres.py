"""A real PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port of 127.0.0.1, ended with the session.

Belongs here: making, asking, stopping and starting it. Does not: what is asked of it through Watchkeeper (the tests).
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "s3cr@t/of:tests"  # noqa: S105 - of a server that lives as long as the tests
_ENCODED = "s3cr%40t%2Fof%3Atests"
_QUICK = "fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "timezone=UTC"


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
        if self.owner is not None:
            os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
        (folder / "password").write_text(PASSWORD)
        self._run("initdb", "-D", str(folder / "data"), "-A", "scram-sha-256", "-U", "wk", f"--pwfile={folder / 'password'}", "-N", "-E", "UTF8")

    def _run(self, program: str, *arguments: str) -> str:
        as_owner = {} if self.owner is None else {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        done = subprocess.run([self.bin / program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **as_owner)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = " ".join([f"-p {self.port}", f"-k {self.folder}", *(f"-c {setting}" for setting in _QUICK)])
        with (self.folder / "log").open("a"):
            pass
        if self.owner is not None:
            os.chown(self.folder / "log", self.owner.pw_uid, self.owner.pw_gid)
        command = [self.bin / "pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "-o", options, "start"]
        as_owner = {} if self.owner is None else {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, **as_owner)

    def stop(self) -> None:
        """Stop it at once; who reads from it is cut off."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "-w", "stop")

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


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a cluster while the body does; skip where there is no PostgreSQL."""
    found = programs()
    if found is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-postgres-"))  # pytest's own folders are closed to other users
    try:
        cluster = Postgres(found, folder)
        cluster.start()
        try:
            yield cluster
        finally:
            if (folder / "data" / "postmaster.pid").exists():
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
    if not (postgres_server.folder / "data" / "postmaster.pid").exists():
        postgres_server.start()
    name = f"t{abs(hash(request.node.nodeid)):x}"
    postgres_server.ask("postgres", f"create database {name}")
    yield Database(postgres_server, name)
    if not (postgres_server.folder / "data" / "postmaster.pid").exists():
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
