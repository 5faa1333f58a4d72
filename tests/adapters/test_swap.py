"""Files are replaced whole or not at all."""

import os
import resource
import time

import pytest

from watchkeeper.adapters.swap import aside, write_whole
from watchkeeper.errors import UnwritableError


def test_an_error_while_writing_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "page.html"
    write_whole(path, "old")
    with pytest.raises(RuntimeError):
        _fail_half_way(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_room_is_one_sentence_and_the_old_file_stays(tmp_path):
    path = tmp_path / "page.html"
    write_whole(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(UnwritableError) as told:
            write_whole(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(told.value) == f"{path}: cannot be written (File too large). Check its permissions, and the space left there."
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_the_same_content_is_not_written_again(tmp_path):
    path = tmp_path / "deep" / "page.html"
    assert write_whole(path, "now")
    os.utime(path, (1, 1))
    assert not write_whole(path, "now")
    assert path.stat().st_mtime == 1
    assert write_whole(path, "then")


def test_what_a_killed_writer_left_goes_after_an_hour_and_what_a_living_one_writes_stays(tmp_path):
    path = tmp_path / "page.html"
    for name, age_s in ((".page.html.dead", 7200), (".page.html.alive", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text("half")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    write_whole(path, "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".page.html.alive", "page.html"]


def _fail_half_way(path):
    with aside(path) as written:
        written.write_text("half")
        raise RuntimeError
