"""A skip is a failure where CI says so."""

import os
import subprocess
import sys
from pathlib import Path

SKIPPING = {
    "marked": "import pytest\n@pytest.mark.skipif(True, reason='no gcc')\ndef test_a(): assert True\n",
    "inside": "import pytest\ndef test_a(): pytest.skip('no gcc')\n",
    "whole": "import pytest\npytest.skip('no gcc', allow_module_level=True)\n",
}


def summary(folder: Path, no_skips: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "skips", "-p", "no:cacheprovider", str(folder)]
    env = {**os.environ, "WATCHKEEPER_NO_SKIPS": no_skips, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False).stdout


def test_a_skip_fails_only_where_skips_are_failures(tmp_path: Path):
    """By a mark, inside a test, and for a whole file, which is an error of collection."""
    for name, text in SKIPPING.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    assert "3 skipped" in summary(tmp_path, "")
    (tmp_path / "test_whole.py").unlink()
    assert "1 failed, 1 error" in summary(tmp_path, "1")
    (tmp_path / "test_whole.py").write_text(SKIPPING["whole"])
    assert "1 error" in summary(tmp_path, "1")
