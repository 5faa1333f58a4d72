"""A world of GPUs for tests: the C stand-in, compiled, loaded by the real binding, and told what to answer.

Belongs here: building and steering the stand-in. Does not: what it can answer (nvml_standin/nvml.c).
"""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "nvml_standin" / "nvml.c"
NAME = "libnvidia-ml.so.1"

needs_gcc = [pytest.mark.gcc, pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed; it compiles the stand-in for NVML")]


class NvmlWorld:
    """GPUs whose answers are lines `DEVICE WHAT VALUE` in a file; later lines win."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.library = _compiled(folder)
        self._file = folder / "nvml.txt"
        self._file.write_text("")
        self.say(*lines)

    def say(self, *lines: str) -> None:
        """Change the world, for a sampler that runs too: the file is replaced whole."""
        aside = self._file.with_suffix(".new")
        aside.write_text(self._file.read_text() + "".join(f"{line}\n" for line in lines))
        aside.replace(self._file)

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process's binding find the stand-in: the loader takes a library of that name that is loaded already."""
        monkeypatch.setenv("NVML_STANDIN", str(self._file))
        ctypes.CDLL(str(self.library))

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs to find the stand-in by the loader's own search."""
        return {**os.environ, "LD_LIBRARY_PATH": str(self.library.parent), "NVML_STANDIN": str(self._file)}


def _compiled(folder: Path) -> Path:
    """Return the library; it is compiled in the folder of the first test that asks."""
    if not _built:
        library = folder / NAME
        subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-Wl,-soname,{NAME}", "-o", str(library), str(SOURCE)], check=True)
        _built.append(library)
    return _built[0]


_built: list[Path] = []
