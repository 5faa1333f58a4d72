"""The PostgreSQL of the tests ends with them, also when they are killed."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postgres import required

pytestmark = pytest.mark.postgres

STARTER = """
import time
from postgres import running
with running() as cluster:
    print(cluster.port, cluster.folder, flush=True)
    time.sleep(60)
"""


def test_a_cluster_ends_with_the_process_that_started_it_even_when_that_is_killed() -> None:
    required()
    process = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
    assert process.stdout is not None
    port, folder = process.stdout.readline().split()
    assert answers(int(port))
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while answers(int(port)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    shutil.rmtree(folder)


def answers(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0
