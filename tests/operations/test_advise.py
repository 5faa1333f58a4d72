"""Advice on a temporary lake: given with its evidence, its saving and its risk, and not where what it needs was not measured."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home, parcels_world
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.advice import Advice, Facts, material
from watchkeeper.operations.advise import advise, facts_of
from watchkeeper.operations.costs import costs
from watchkeeper.operations.digest_costs import spending_of
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.spending import books_or_reasons
from watchkeeper.records import Score
from watchkeeper.samples import GpuProcess, GpuSample
from watchkeeper.windows import Grid, Window

DAY = timedelta(days=1)
START = datetime(2025, 3, 3, tzinfo=UTC)
NOW = START + 14 * DAY + timedelta(hours=6)
BOOK = """gpu,provider,instance,price,currency,region,as_of,source
T4,aws,g4dn,0.50,USD,us-east-1,2025-01-01,list
L4,aws,g6,0.80,USD,us-east-1,2025-01-01,list
A100 40GB,aws,p4d,2.70,USD,us-east-1,2025-01-01,list
"""
A100 = "NVIDIA A100-SXM4-40GB"

Farm = Callable[..., Home]


@pytest.fixture
def farm(make_home: Callable[..., Home]) -> Farm:
    def made(**more: Any) -> Home:
        columns = {"id": "id", "time": "at", "score": "p", "latency": "ms", **more.pop("columns", {})}
        words = {"task": "binary", "events": {"files": "inbox/one-*.parquet"}, "columns": columns}
        home = make_home(
            {"model": "one", "reference": {"from": "2025-01-01", "to": "2025-01-15"}, **words, "cost": {"hosts": ["a"]}, **more}, name="farm"
        )
        home.prices.write_text(BOOK)
        return home

    return made


def serve(home: Home, gpus: int, busy: float | None, *, days: int = 14, name: str = A100, memory_gb: float | None = 10.0, **more: Any) -> None:
    """Land an hourly reading of so many GPUs for some days."""
    given = {"device_name": name, "utilisation_ratio": busy, "interval_s": 3600.0, "host": "a", **more}
    memory = None if memory_gb is None else round(memory_gb * 1e9)
    hours = [NOW - timedelta(hours=6) - days * DAY + timedelta(hours=h + 1) for h in range(days * 24)]
    home.lake.append_records(
        GpuSample, [GpuSample(sampled_at=at, device=d, device_uuid=f"a-{d}", memory_used_bytes=memory, **given) for at in hours for d in range(gpus)]
    )


def latency(home: Home, p95: float) -> None:
    """Write down the latency of each day."""
    given = {
        "model": "one",
        "metric": "latency_p95",
        "method": "log bins",
        "unit": "ms",
        "direction": "lower_is_better",
        "grain": "day",
        "state": "done",
    }
    days = [START + k * DAY for k in range(14)]
    home.lake.append_records(Score, [Score(window_start=d, window_end=d + DAY, value=p95, n=1000, computed_at=d + DAY, **given) for d in days])


def answer(home: Home, per_hour: int, hours: tuple[int, int] = (0, 24)) -> None:
    """Land predictions in some hours of each day."""
    at = [START + d * DAY + timedelta(hours=h, minutes=30) for d in range(14) for h in range(*hours) for _ in range(per_hour)]
    columns = {"p": pa.array([0.5] * len(at)), "wk_time": pa.array(at, TIMESTAMP), "wk_landed_at": pa.array(at, TIMESTAMP)}
    home.lake.append("events/one", pa.table(columns))


def known(home: Home, model: str) -> Facts:
    monitors = load_monitors(home)[0]
    return facts_of(home, monitors[model], monitors, books_or_reasons(home), now=NOW)


def advised(home: Home, model: str) -> list[Advice]:
    return advise(load_monitors(home)[0][model], known(home, model))


def told(home: Home) -> dict[str, Advice]:
    return {a.kind: a for a in advised(home, "one")}


def test_idle_gpus_with_room_in_latency_may_be_fewer_and_the_saving_is_that_of_those_left_out(farm):
    home = farm(service={"latency_limit": 300})
    serve(home, 4, 0.3)
    latency(home, 120.0)
    found = told(home)["scale_down"]
    assert (found.state, found.share_of_cost) == ("advised", pytest.approx(0.5))
    assert found.saving_per_month == pytest.approx(2 * 24 * 2.70 * 30.44)
    assert found.text.startswith("hold 2 of 4 GPUs: in the busiest hours 1.2")
    assert "120 ms of 300 ms" in found.text
    assert "60 % of what is left" in found.risk
    assert found.evidence["gpus_held"] == pytest.approx(4.0)
    assert (found.evidence["gpus_held_alone"], found.evidence["gpus_alone_busy_peak"]) == (pytest.approx(4.0), pytest.approx(1.2))


def forget(home: Home, readings: str) -> None:
    """Remove readings of GPUs, as a condition of SQL."""
    table = home.lake.table(GpuSample.TABLE)
    assert table is not None
    table.delete(readings)


def test_a_saving_is_by_the_days_that_were_read_and_says_how_many_these_are(farm):
    home = farm(service={"latency_limit": 300})
    serve(home, 4, 0.3)
    forget(home, "sampled_at > '2025-03-05' AND sampled_at <= '2025-03-10'")
    latency(home, 120.0)
    found = told(home)["scale_down"]
    assert (found.evidence["days"], found.evidence["days_unread"]) == (9, 5)
    assert found.saving_per_month == pytest.approx(2 * 24 * 2.70 * 30.44)
    assert found.text.endswith(" By 9 days of readings: on 5 more since the first none was taken.")


def read(home: Home, host: str, uuid: str, busy: float, **more: Any) -> None:
    """Land an hourly reading of one GPU for two weeks."""
    given = {"device": 0, "device_uuid": uuid, "host": host, "utilisation_ratio": busy, "interval_s": 3600.0, **more}
    home.lake.append_records(GpuSample, [GpuSample(sampled_at=START + timedelta(hours=h + 1), **given) for h in range(14 * 24)])


def test_a_gpu_that_others_use_too_is_neither_held_nor_given_up_and_saves_nothing(farm):
    home = farm(service={"latency_limit": 300})
    for device in range(2):
        read(home, "a", f"a-{device}", 0.2, device_name="NVIDIA L4")
    read(home, "b", "b-0", 0.4, device_name=A100)
    hours = [START + timedelta(hours=h + 1) for h in range(14 * 24)]
    for pid, model in ((1, "one"), (2, "other")):
        given = {"interval_s": 3600.0, "host": "b", "device_uuid": "b-0", "pid": pid, "model": model, "attributed_by": "process"}
        home.lake.append_records(GpuProcess, [GpuProcess(sampled_at=at, **given) for at in hours])
    latency(home, 120.0)
    found = told(home)["scale_down"]
    assert found.saving_per_month == pytest.approx(24 * 0.80 * 30.44), "one L4, and not a mean of the cards"
    assert found.text.startswith("hold 1 of the 2 GPUs that it has for itself: in the busiest hours 0.400 are busy")
    assert (found.evidence["gpus_held"], found.evidence["gpus_held_alone"]) == (pytest.approx(2.5), pytest.approx(2.0))


def test_of_unlike_gpus_the_cheapest_is_what_is_saved(farm):
    home = farm(service={"latency_limit": 300})
    read(home, "a", "a-0", 0.2, device_name=A100)
    read(home, "a", "a-1", 0.2, device_name="NVIDIA L4")
    latency(home, 120.0)
    assert told(home)["scale_down"].saving_per_month == pytest.approx(24 * 0.80 * 30.44)


def test_a_gpu_that_followed_another_is_not_one_too_many(farm):
    home = farm(service={"latency_limit": 300})
    serve(home, 2, 0.2)
    forget(home, "(device = 0 AND sampled_at <= '2025-03-10') OR (device = 1 AND sampled_at > '2025-03-10')")
    latency(home, 120.0)
    assert told(home)["scale_down"].text == "1.00 GPUs are held in the mean: there is none to do without."


@pytest.mark.parametrize(
    "more",
    [
        {"name": f"{A100} MIG 3g.20gb", "fraction": 3 / 7, "parent_uuid": "whole"},
        {"purpose": "training"},
        {"model": "other"},
    ],
    ids=["a slice", "its training", "another model"],
)
def test_slices_and_gpus_that_something_else_used_once_cannot_be_given_up(farm, more):
    home = farm(service={"latency_limit": 300})
    slices = {k: v for k, v in more.items() if k in ("name", "fraction", "parent_uuid")}
    serve(home, 2, 0.1, **slices)
    used = {"model": "one", "purpose": "serving", **{k: v for k, v in more.items() if k not in slices}}
    at = START + timedelta(hours=30)
    given = {"sampled_at": at, "interval_s": 3600.0, "host": "a", "pid": 7, "attributed_by": "process", **used}
    home.lake.append_records(GpuProcess, [GpuProcess(device_uuid=f"a-{d}", **given) for d in range(2)])
    latency(home, 120.0)
    found = told(home)["scale_down"]
    assert (found.state, found.saving_per_month) == ("not advised", None)
    assert "0 of them whole and by it alone: of those that others or its training use too, and of slices, none can be given up" in found.text


def test_days_on_which_its_gpus_were_read_and_not_held_by_it_count_and_are_no_saving(farm):
    home = farm(service={"latency_limit": 300}, cost={})
    for day in range(14):  # on every other day the same host serves nobody
        readings = {"device_name": A100, "utilisation_ratio": 0.3 if day % 2 == 0 else 0.0, "interval_s": 3600.0, "host": "a"}
        home.lake.append_records(
            GpuSample,
            [
                GpuSample(
                    sampled_at=START + day * DAY + timedelta(hours=h + 1), device=d, device_uuid=f"a-{d}", model="" if day % 2 else "one", **readings
                )
                for h in range(24)
                for d in range(4)
            ],
        )
    latency(home, 120.0)
    found = told(home)["scale_down"]
    assert (found.evidence["days"], found.evidence["days_unread"]) == (14, 0)
    assert found.saving_per_month == pytest.approx(24 * 2.70 * 30.44)
    assert "of readings" not in found.text


def test_what_is_saved_on_reserved_gpus_is_said_to_be_bound(farm):
    home = farm(service={"latency_limit": 300})
    home.prices.write_text(BOOK.replace("as_of,source\n", "as_of,source,kind\n").replace(",list\n", ",list,reserved\n"))
    serve(home, 4, 0.3)
    latency(home, 120.0)
    assert "Some of its GPUs are reserved or own" in told(home)["scale_down"].risk


def test_without_a_limit_or_a_latency_nothing_is_scaled_down_and_what_is_missing_is_said(farm):
    home = farm()
    serve(home, 4, 0.3)
    assert told(home)["scale_down"].state == "not known"
    assert "needs `columns.latency`. By how busy they are 2 of 4 GPUs would do" in told(home)["scale_down"].text
    latency(home, 120.0)
    assert "needs `service.latency_limit`" in told(home)["scale_down"].text


@pytest.mark.parametrize(("busy", "p95", "why"), [(0.9, 120.0, "3.6"), (0.3, 280.0, "no room for queues")])
def test_busy_gpus_and_slow_answers_are_no_reason_to_scale_down(farm, busy, p95, why):
    home = farm(service={"latency_limit": 300})
    serve(home, 4, busy)
    latency(home, p95)
    found = told(home)["scale_down"]
    assert (found.state, found.saving_per_month) == ("not advised", None)
    assert why in found.text


def test_a_saving_is_told_as_a_share_of_all_that_the_model_costs_tokens_too(farm):
    columns = {"input_tokens": "tokens_in", "output_tokens": "tokens_out"}
    home = farm(service={"latency_limit": 300}, columns=columns, cost={"hosts": ["a"], "llm": "some-llm"})
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,2,10,USD,2025-01-01,list\n")
    serve(home, 4, 0.3)
    latency(home, 120.0)
    assert told(home)["scale_down"].share_of_cost == pytest.approx(0.5), "nobody was asked"
    of_gpus = 4 * 24 * 14 * 2.70
    times = pa.array([START + timedelta(hours=5)] * 100, TIMESTAMP)
    tokens = {"tokens_in": [0] * 100, "tokens_out": [round(of_gpus / 2 * 1000)] * 100}
    home.lake.append("events/one", pa.table({"p": [0.5] * 100, "ms": [1.0] * 100, **tokens, "wk_time": times, "wk_landed_at": times}))
    found = told(home)["scale_down"]
    assert found.saving_per_month == pytest.approx(2 * 24 * 2.70 * 30.44)
    assert found.share_of_cost == pytest.approx(0.5 * of_gpus / (of_gpus + of_gpus / 2))
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nother-llm,p,2,10,USD,2025-01-01,list\n")
    found = told(home)["scale_down"]
    assert (found.state, found.share_of_cost, material([found])) == ("advised", None, None)


def test_requests_that_nobody_promised_to_answer_at_once_may_be_answered_in_runs(farm):
    home = farm()
    serve(home, 1, 0.07)
    answer(home, 20, (9, 17))
    found = told(home)["batch"]
    assert (found.state, found.share_of_cost) == ("advised", pytest.approx(0.9))
    assert found.saving_per_month == pytest.approx(0.9 * 24 * 2.70 * 30.44)
    assert "2.40 GPU-hours a day would do, 24.0 are held. Requests come in 33 % of the hours" in found.text
    assert found.evidence["peak_to_mean_predictions"] == pytest.approx(3.0)
    assert "waits" in found.risk


def test_answers_that_are_promised_at_once_are_not_batched(farm):
    home = farm(service={"latency_limit": 300})
    serve(home, 1, 0.07)
    answer(home, 20)
    assert "promised within 300 ms" in told(home)["batch"].text
    assert told(home)["batch"].state == "not advised"


def test_a_model_that_fits_a_cheaper_card_may_move_there_with_how_much_slower_that_may_be(farm):
    home = farm()
    serve(home, 1, 0.1, memory_gb=11.0)
    found = told(home)["smaller_card"]
    assert found.state == "advised"
    assert (found.evidence["to_card"], found.evidence["to_price"]) == ("T4", 0.5)
    assert found.saving_per_month == pytest.approx((2.70 - 0.50) * 24 * 30.44)
    assert "up to 4.86 times as long; nothing tells how much slower answers may be" in found.risk


@pytest.mark.parametrize(("busy", "memory", "card"), [(0.1, 14.0, "L4"), (0.14, 11.0, "T4"), (0.16, 11.0, None), (0.1, 30.0, None)])
def test_memory_and_load_decide_which_card_holds_it(farm, busy, memory, card):
    home = farm()
    serve(home, 1, busy, memory_gb=memory)
    found = told(home)["smaller_card"]
    assert found.evidence.get("to_card") == card
    assert found.state == ("advised" if card else "not advised")


@pytest.mark.parametrize(
    ("card", "said"),
    [(A100, "none of the 2 cheaper cards of the price book would hold"), ("NVIDIA L4", "the one cheaper card of the price book would not hold")],
)
def test_one_cheaper_card_is_not_told_of_as_several(farm, card, said):
    home = farm()
    serve(home, 1, 0.9, name=card)
    assert told(home)["smaller_card"].text.startswith(said)


@pytest.mark.parametrize(("p95", "state"), [(50.0, "advised"), (90.0, "not advised")])
def test_a_limit_of_latency_that_a_slower_card_would_break_forbids_it(farm, p95, state):
    home = farm(service={"latency_limit": 300})
    serve(home, 1, 0.1, memory_gb=15.0)
    latency(home, p95)
    assert told(home)["smaller_card"].state == state


def test_of_a_slice_of_a_gpu_nothing_is_told_of_another_card_which_would_be_held_whole(farm):
    home = farm()
    serve(home, 1, 0.1, name=f"{A100} MIG 1g.5gb", memory_gb=4.0, fraction=1 / 7, parent_uuid="whole")
    found = told(home)["smaller_card"]
    assert (found.state, found.saving_per_month) == ("not known", None)
    assert "which it would hold whole: its GPUs are cut into slices" in found.text


@pytest.mark.parametrize(("minutes", "state"), [(57, "advised"), (56, "not known")])
def test_of_a_gpu_that_others_use_too_nothing_is_told_of_another_card(farm, minutes, state):
    home = farm()
    serve(home, 1, 0.1, interval_s=60.0 * minutes)
    begins = NOW - timedelta(hours=6) - 14 * DAY
    given = {"device_name": A100, "host": "a", "device": 0, "device_uuid": "a-0", "model": "other", "interval_s": 60.0 * (60 - minutes)}
    home.lake.append_records(GpuSample, [GpuSample(sampled_at=begins + timedelta(hours=h, minutes=60 - minutes), **given) for h in range(14 * 24)])
    found = told(home)["smaller_card"]
    assert found.state == state
    assert found.evidence["share_of_its_gpus"] == pytest.approx(minutes / 60)


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"busy": None}, "no reading of how busy"),
        ({"days": 3}, "7 days of GPU readings are needed, 3 are there"),
        ({"days": 1}, "7 days of GPU readings are needed, 1 is there"),
        ({"name": "NVIDIA Z9"}, "no price for 'NVIDIA Z9' in USD"),
        ({"memory_gb": None}, "no reading of the memory in use"),
    ],
)
def test_what_was_not_measured_is_said_and_nothing_is_advised(farm, more, missing):
    home = farm()
    serve(home, 1, **{"busy": 0.1, **more})
    found = told(home)["smaller_card"]
    assert (found.state, found.saving_per_month) == ("not known", None)
    assert missing in found.text


def test_without_any_reading_each_rule_says_so(farm):
    home = farm()
    assert {a.state for a in told(home).values()} == {"not known"}
    assert "`watchkeeper sample-gpus` takes them" in told(home)["scale_down"].text


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two versions that answer half of the parcels each for six weeks, equally well: the old one on an A100, the new one on an L4."""
    begin = NOW - timedelta(hours=6) - 42 * DAY
    reference = {"from": str(begin.date()), "to": str((begin + 14 * DAY).date())}
    home = new_home(tmp_path_factory.mktemp("released") / "home", {**PARCELS, "segments": [], "reference": reference})
    home.prices.write_text(BOOK)
    for d in range(42):
        events, labels = parcels_world(begin + d * DAY, rows=300)
        names = pa.array(["1" if n % 5 < 3 else "2" for n in range(300)])
        events = events.set_column(events.column_names.index("version"), "version", names)
        pq.write_table(events, home.root / "inbox" / f"parcels-{d}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"delivered-{d}.parquet")
    hours = [NOW - timedelta(hours=6) - 28 * DAY + timedelta(hours=h + 1) for h in range(28 * 24)]
    for uuid, name, version in (("a", A100, "1"), ("b", "NVIDIA L4", "2")):
        given = {"interval_s": 3600.0, "host": "h", "device_uuid": uuid}
        home.lake.append_records(GpuSample, [GpuSample(sampled_at=t, device=0, device_name=name, utilisation_ratio=0.5, **given) for t in hours])
        process = {"pid": 1, "model": "parcels", "version": version, "attributed_by": "process", **given}
        home.lake.append_records(GpuProcess, [GpuProcess(sampled_at=t, **process) for t in hours])
    monitor = load_monitors(home)[0]["parcels"]
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    measure(home, monitor, now=NOW)
    costs(home, {"parcels": monitor}, now=NOW)
    return home


def test_predictions_are_counted_over_the_days_in_which_gpus_were_read(farm):
    home = farm()
    serve(home, 1, 0.1, days=7)
    answer(home, 10)
    facts = known(home, "one")
    assert facts.days == 7
    assert facts.predictions == 7 * 24 * 10


def test_a_version_that_costs_less_and_is_as_good_is_found_in_what_was_measured(released):
    found = {a.kind: a for a in advised(released, "parcels")}["cheaper_version"]
    assert (found.state, found.evidence["version"], found.evidence["to_version"]) == ("advised", "1", "2")
    old, new = 2.70 * 24 * 1000 / 180, 0.80 * 24 * 1000 / 120
    assert found.evidence["cost_per_1000_predictions"] == pytest.approx(old)
    assert found.evidence["to_cost_per_1000_predictions"] == pytest.approx(new)
    assert (found.evidence["days"], found.evidence["predictions"], found.evidence["days_of_both"]) == (7, 7 * 180, 28)
    assert found.saving_per_month == pytest.approx(30.44 * 180 / 1000 * (old - new))


def test_of_a_version_that_another_took_over_from_weeks_ago_nothing_is_to_be_saved(farm):
    """Tokens were dearer by the half while the old version answered."""
    columns = {"input_tokens": "tokens_in", "output_tokens": "tokens_out", "version": "v"}
    home = farm(columns=columns, cost={"llm": "some-llm"})
    book = "model,provider,input,output,currency,as_of,source,from\nsome-llm,p,3,15,USD,2025-01-01,list,\n"
    home.token_prices.write_text(f"{book}some-llm,p,2,10,USD,2025-01-01,list,{(START + 4 * DAY).date()}\n")
    at = [START + d * DAY + timedelta(minutes=4 * k) for d in range(14) for k in range(360)]
    tokens = {"tokens_in": [500] * len(at), "tokens_out": [200] * len(at)}
    times = pa.array(at, TIMESTAMP)
    versions = ["1" if t < START + 4 * DAY else "2" for t in at]
    home.lake.append(
        "events/one", pa.table({"p": [0.5] * len(at), "ms": [1.0] * len(at), "v": versions, **tokens, "wk_time": times, "wk_landed_at": times})
    )
    found = told(home)["cheaper_version"]
    assert (found.state, found.saving_per_month) == ("not known", None)
    assert found.text.startswith("not known: what version 2 costs beside another: none answered 1,000 requests on 7 days on which it did too")


def test_of_days_in_which_no_gpu_was_read_the_costs_of_versions_are_unknown_though_both_answered(released):
    monitors = load_monitors(released)[0]
    facts = facts_of(released, monitors["parcels"], monitors, books_or_reasons(released), now=NOW, at=NOW - 28 * DAY)
    assert facts.answered == {"1": 180 * 14, "2": 120 * 14}
    found = {a.kind: a for a in advise(monitors["parcels"], facts)}["cheaper_version"]
    assert found.text.startswith("not known: what predictions of 2 versions (1 and 2) cost: no reading of a GPU that served this model")


def test_the_command_tells_each_rule_and_json_the_evidence(released, watchkeeper):
    said = watchkeeper("advise", "parcels", "--now", NOW.isoformat(), at=released).stdout
    assert re.search(r"parcels, cheaper version: about 1,\d{3} USD a month, \d+ % of its cost, an estimate: let version 2 answer", said)
    assert "  Risk: it may be worse by " in said
    assert "parcels, scale down: " in said
    listed = json.loads(watchkeeper("advise", "--json", "--now", NOW.isoformat(), at=released).stdout)
    assert {a["kind"] for a in listed} == {"scale_down", "batch", "smaller_card", "cheaper_version"}
    assert listed[0]["evidence"]["to_version"] == "2"
    assert listed[0]["saving_per_month"] > 1000


def test_a_digest_tells_what_is_material_with_its_risk(released):
    end = NOW - timedelta(hours=6)
    week = Window(end - 7 * DAY, end)
    text = digest_of(released, load_monitors(released)[0]["parcels"], week, now=NOW, period="week").text
    assert "Could be saved" in text
    assert "let version 2 answer what 1 does" in text
    assert "Risk: it may be worse by" in text


def test_advice_writes_nothing(released):
    before = {table: released.lake.table(table).version() for table in ("scores", "runs", "batches")}
    advised(released, "parcels")
    assert {table: released.lake.table(table).version() for table in before} == before
    assert released.lake.table("signals") is None


def test_cards_are_offered_at_the_prices_of_the_day_in_the_workspaces_zone(make_home):
    words = {"task": "binary", "events": {"files": "inbox/one-*.parquet"}, "columns": {"id": "id", "time": "at", "score": "p"}}
    home = make_home({"model": "one", "reference": {"from": "2025-01-01", "to": "2025-01-15"}, **words}, name="berlin", timezone="Europe/Berlin")
    book = BOOK.replace("as_of,source\n", "as_of,source,from\n").replace(",list\n", ",list,\n")
    home.prices.write_text(book + f"L4,aws,g6,0.30,USD,us-east-1,2025-01-01,list,{NOW.date()}\n")
    facts = known(home, "one")
    assert dict(facts.offers)["L4"] == 0.30


def test_a_digest_tells_the_costs_of_a_period_that_a_longer_window_reaches_into_of_its_own_environment_alone(farm):
    end = NOW - timedelta(hours=6)
    asked = Window(end - 3 * DAY, end - 2 * DAY)
    week = {"model": "one", "metric": "total_cost", "method": "gpu_samples", "unit": "usd", "direction": "lower_is_better", "grain": "week"}
    home = farm()
    monitor = load_monitors(home)[0]["one"]
    serve(home, 1, 0.5)
    for environment, is_told in (("staging", False), (monitor.environment, True)):
        given = {**week, "environment": environment, "value": 1.0, "n": 5, "state": "done", "computed_at": end}
        home.lake.append_records(Score, [Score(window_start=end - 7 * DAY, window_end=end, **given)])
        assert (spending_of(home, monitor, Grid("day", "UTC"), asked, now=NOW) is not None) == is_told
