"""The pages in a real browser: nothing fails, nothing is asked of the network, and they fit a phone."""

import dataclasses
import re
import shutil
import struct
import subprocess
import zlib

import pytest

import worlds_site as world
from watchkeeper.operations.fairness import write_page
from watchkeeper.operations.pages import pages
from watchkeeper.operations.shown import frame_of, model_facts, shared
from watchkeeper.operations.status import overview_rows
from watchkeeper.site.class_tables import Confusion
from watchkeeper.site.model_page import model_page

pytestmark = pytest.mark.browser
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
PHONE = 375


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    home, watched = world.build(tmp_path_factory.mktemp("browser"))
    audit = write_page(home, world.audit_report())
    return [*pages(home, {watched.model: watched}, now=world.NOW), audit, page_of_classes(home, watched)]


def page_of_classes(home, watched):
    """Write the page of a model of twenty classes, some with long names."""
    names, window = [f"class {i} " + "of a long name " * (i % 3) for i in range(20)], world.days(watched)[-1]
    counts = [[1_200 if i == j else (i * j) % 7 for j in range(21)] for i in range(20)]
    recall = world.class_scores(window, names)
    found = shared(home, now=world.NOW)
    (row,) = overview_rows(home, {watched.model: watched}, now=world.NOW)
    confusion = Confusion(window=window, names=names, counts=counts, others=3)
    facts = dataclasses.replace(model_facts(home, watched, row, found, ()), confusion=confusion, classes=recall)
    path = home.site_dir / "models" / "classes.html"
    path.write_text(model_page(facts, frame=frame_of(home, watched, found), workspace="classes"))
    return path


def browse(path, *options, width=1100, height=900):
    """Return what Chromium printed, and what it logged about the page."""
    profile = path.parent / "profile"
    given = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        "--v=0",
        f"--user-data-dir={profile}",
    ]
    given += ["--disable-background-networking", "--disable-component-update", "--no-first-run", f"--window-size={width},{height}"]
    done = subprocess.run([*given, *options, path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def framed(paths, tmp_path, width, probe, *options):
    """Open pages in frames of one window, `width` wide since a window of Chromium's is 500 at least; return page -> what `probe` finds there, and the log.

    The probe is an expression in JavaScript over a frame's window `w` and document `d`, once all is loaded.
    """
    frames = "".join(f'<iframe title="{p.name}" src="{p.as_uri()}" style="width:{width}px;height:900px;border:0"></iframe>' for p in paths)
    script = (
        "addEventListener('load',()=>{for(const f of document.querySelectorAll('iframe')){"
        f"const d=f.contentDocument,w=f.contentWindow;f.dataset.found={probe}}}}})"
    )
    wrapper = tmp_path / "frames.html"
    wrapper.write_text(f"<!doctype html><meta charset='utf-8'>{frames}<script>{script}</script>")
    dom, console = browse(wrapper, "--dump-dom", "--allow-file-access-from-files", *options)
    return dict(zip(paths, re.findall(r'data-found="([^"]*)"', dom), strict=True)), console


def too_wide(paths, tmp_path, width):
    """Return page -> how wide its screen is, and what reaches beyond it."""
    probe = (
        "w.innerWidth+':'+[...d.querySelectorAll('body *')].filter(e=>!e.closest('.scroll,.skip,.cards thead')&&"
        "e.getBoundingClientRect().right>w.innerWidth+1).map(e=>e.tagName+'.'+e.className).join(' ')"
    )
    return {path.name: found for path, found in framed(paths, tmp_path, width, probe)[0].items()}


def opened(paths, tmp_path):
    """Open pages without a network; return page -> how many headings and footers it has and what it asked of a network, and the log of all."""
    asked = "w.performance.getEntriesByType('resource').map(e=>e.name).filter(n=>!n.startsWith('file:')).join(' ')"
    probe = f"d.querySelectorAll('h1').length+' '+d.querySelectorAll('footer').length+':'+{asked}"
    return framed(paths, tmp_path, 1100, probe, "--host-resolver-rules=MAP * ~NOTFOUND")


def pixels(path):
    """Return the rows of an 8-bit PNG, without its filters undone: enough to tell one colour from many."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    return zlib.decompress(packed)


def test_every_page_opens_without_an_error_and_without_the_network(site, tmp_path):
    assert len(site) > 5
    assert opened(site, tmp_path) == (dict.fromkeys(site, "1 1:"), [])


def test_a_page_that_does_fail_is_noticed(site, tmp_path):
    """Guards the test above: what a page asks of a network is seen, and so is an error."""
    broken, picture = tmp_path / "broken.html", "https://example.invalid/x.png"
    broken.write_text(f"<!doctype html><h1>a</h1><img src='{picture}'><script>throw new Error('no')</script>")
    found, console = opened([site[0], broken], tmp_path)
    assert found == {site[0]: "1 1:", broken: f"1 0:{picture}"}
    assert ["Error: no" in line for line in console] == [True]


def test_nothing_is_wider_than_a_phone(site, tmp_path):
    assert too_wide(site, tmp_path, PHONE) == {p.name: f"{PHONE}:" for p in site}


def test_something_too_wide_is_noticed(site, tmp_path):
    """Guards the test above."""
    wide = tmp_path / "wide.html"
    wide.write_text("<!doctype html><body><p class='long' style='width:900px'>x</p>")
    assert too_wide([wide], tmp_path, PHONE) == {"wide.html": f"{PHONE}:P.long"}


def test_charts_are_drawn_in_light_and_in_dark(site, tmp_path):
    model = next(p for p in site if p.parent.name == "models")
    shots = {}
    for name, options in {"light": (), "dark": ("--blink-settings=preferredColorScheme=0",)}.items():
        shots[name] = tmp_path / f"{name}.png"
        browse(model, f"--screenshot={shots[name]}", *options, height=1600)
    seen = {name: pixels(path) for name, path in shots.items()}
    assert seen["light"] != seen["dark"]
    assert all(len(set(s)) > 50 for s in seen.values())
