"""Every example in a docstring gives what it says."""

import doctest
import importlib
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "src"
WITH_EXAMPLES = sorted(".".join(p.relative_to(SOURCES).with_suffix("").parts) for p in SOURCES.rglob("*.py") if ">>> " in p.read_text())


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_give_what_they_say(module: str):
    done = doctest.testmod(importlib.import_module(module))
    assert done.attempted > 0
    assert done.failed == 0
