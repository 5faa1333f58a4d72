"""A trace in words: a tree with durations, and the part that took longest by itself."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watchkeeper.samples import Span
from watchkeeper.site.spans import own_ms, trace_lines

AT = datetime(2025, 2, 1, 10, tzinfo=UTC)
ROOT = Span(trace_id="t", span_id="root", name="POST /predict", service="api", started_at=AT, duration_ms=400.0, landed_at=AT)


def part(name, start, length, parent="root", **about):
    about = {"service": "api", **about}
    return replace(ROOT, span_id=name, parent_span_id=parent, name=name, started_at=AT + timedelta(milliseconds=start), duration_ms=length, **about)


CHAT = part(
    "chat",
    80,
    300.0,
    service="llm",
    host="gpu-7",
    operation="chat",
    request_model="small-1",
    response_model="small-1-b",
    input_tokens=1200,
    output_tokens=30,
    finish_reasons=["length"],
    status="error",
    status_message="context is\nfull",
)


def test_spans_stand_below_what_called_them_with_how_long_they_took():
    assert trace_lines([CHAT, part("features", 20, 50.0), ROOT, part("fetch", 25, 20.0, "features")]) == [
        "4 spans in 400 ms; 1 error; the slowest part is chat: 300 ms (75 %) by itself",
        "  POST /predict: 400 ms (100 %); api",
        "    features: 50.0 ms (12 %); api",
        "      fetch: 20.0 ms (5 %); api",
        "    chat: 300 ms (75 %); llm, gpu-7; small-1-b (small-1 was asked for), 1,200 tokens in, 30 tokens out, ended by length; error: context is\\nfull; slowest",
    ]


def test_time_in_which_parts_overlap_counts_once():
    assert own_ms(ROOT, [part("a", 0, 100.0), part("b", 50, 100.0), part("late", 390, 500.0)]) == 240.0
    assert own_ms(ROOT, []) == 400.0


def test_spans_without_their_parent_and_rings_are_still_shown():
    lost, one, other = part("lost", 0, 5.0, "gone"), part("one", 1, 9.0, "other"), part("other", 1, 8.0, "one")
    lines = trace_lines([lost, one, other])
    assert [line.split(":")[0] for line in lines[1:]] == ["  lost", "  one", "  other"]


def test_of_many_spans_the_slowest_hundred_are_shown_and_the_rest_counted():
    lines = trace_lines([ROOT, *(part(f"p{i}", i, 1.0 + i / 1000) for i in range(300))])
    assert len(lines) == 102
    assert lines[-1] == "  201 other spans not shown"


def test_the_slowest_part_is_shown_with_all_that_lead_to_it_however_short_these_are():
    """An answer that is streamed goes on after the spans that began it are over."""
    leads = [part(f"lead{i}", i, 0.1, f"lead{i - 1}" if i else "root") for i in range(5)]
    last = part("stream", 9, 5000.0, "lead4")
    lines = trace_lines([ROOT, *(part(f"p{i}", i, 10.0) for i in range(300)), *leads, last])
    assert len(lines) == 102
    at = next(i for i, line in enumerate(lines) if line.startswith("            lead4: "))
    assert lines[at + 1].startswith("              stream: ")
    assert lines[at + 1].endswith("slowest")


def test_thousands_of_nested_spans_are_laid_out_in_a_moment():
    chain = [part(f"c{i}", i / 100, 300.0 - i / 100, f"c{i - 1}" if i else "root") for i in range(20_000)]
    began = time.process_time()
    lines = trace_lines([ROOT, *chain])
    assert time.process_time() - began < 5
    assert len(lines) == 102
    assert lines[-2].strip() == "c19999: 100 ms (25 %); api; slowest"
    assert lines[-1] == "  19,901 other spans not shown"


def test_a_trace_of_no_time_and_one_without_spans_have_no_shares():
    assert trace_lines([]) == []
    assert trace_lines([replace(ROOT, duration_ms=0.0)])[1] == "  POST /predict: 0 ms; api"
