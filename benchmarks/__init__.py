"""Benchmarks: what is promised of speed and of judgement, measured; none is a test."""

from watchkeeper.adapters.settings import without_idle_threads

without_idle_threads()  # as the command line has it
