"""A day of eight GPUs and five models, sampled every minute by two samplers: billed, split, and told, to the cent."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home, parcels_world
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.costs import costs
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.report import digest_of
from watchkeeper.records import Score
from watchkeeper.samples import GpuProcess, GpuSample
from watchkeeper.windows import Window

DAY = datetime(2025, 1, 20, tzinfo=UTC)
END = DAY + timedelta(days=1)
NOW = DAY + timedelta(days=3)
MINUTE_US = 60_000_000
BOOK = """gpu,provider,instance,price,currency,region,as_of,source,kind,from,hosts,capital,lifetime_years,power_w,kwh_price,pue,co2_g_per_kwh
L4,aws,g6,0.8048,USD,us-east-1,2025-01-01,list,on-demand,,,,,,,,380
L4,aws,g6,0.3219,USD,us-east-1,2025-01-01,list,spot,,spot-*,,,,,,380
L40S,aws,g6e,1.861,USD,us-east-1,2025-01-01,contract,reserved,,,,,,,,380
A100 40GB,own,rack,,USD,eu-north,2025-01-01,invoice,own,,,12000,4,400,0.11,1.3,30
H100,aws,p5,6.88,USD,us-east-1,2025-01-01,list,on-demand,,,,,,,,380
H100,aws,p5,6.50,USD,us-east-1,2025-01-20,list,on-demand,2025-01-20,,,,,,,380
"""
HOURLY = {"L4": "0.8048", "spot": "0.3219", "L40S": "1.861", "A100": "0.399431", "H100": "6.50"}
"""12000 / (4 x 8766) + 400 / 1000 x 1.3 x 0.11 = 0.39943135, rounded to a millionth."""
ACCOUNTED = (
    "gpu_hours",
    "gpu_busy_ratio",
    "gpu_wasted_ratio",
    "gpu_energy_kwh",
    "gpu_co2_kg",
    "gpu_cost",
    "gpu_training_hours",
    "gpu_training_cost",
    "total_cost",
    "cost_per_1000_predictions",
    "cost_per_correct_prediction",
)


def monitor(model: str, **more: Any) -> dict[str, Any]:
    words = {"task": "regression", "events": {"files": f"inbox/{model}-*.parquet"}, "columns": {"id": "id", "time": "at", "score": "p"}}
    return {"model": model, "reference": {"from": "2025-01-01", "to": "2025-01-08"}, **words, **more}


class Sampler:
    """Writes what a sampler would have read each minute of the day."""

    def __init__(self) -> None:
        self.samples: list[GpuSample] = []
        self.processes: list[GpuProcess] = []
        self.billed_us: dict[str, Fraction] = {}

    def gpu(self, uuid: str, name: str, price: str, host: str, *, busy: float | None, hours: tuple[int, int] = (0, 24), power: float = 60.0) -> None:
        self.read(uuid, name, host, busy=busy, hours=hours, power_w=power)
        self.billed_us[price] = self.billed_us.get(price, Fraction(0)) + (hours[1] - hours[0]) * 60 * MINUTE_US

    def read(self, uuid: str, name: str, host: str, *, hours: tuple[int, int], busy: float | None, **more: Any) -> None:
        given: dict[str, Any] = {"device": 0, "device_name": name, "device_uuid": uuid, "host": host, "utilisation_ratio": busy, **more}
        self.samples += [GpuSample(sampled_at=at, interval_s=60.0, **given) for at in self.minutes(hours)]

    def run(self, uuid: str, host: str, pid: int, model: str, *, hours: tuple[int, int] = (0, 24), **more: Any) -> None:
        given: dict[str, Any] = {"attributed_by": "process", **more}
        self.processes += [
            GpuProcess(sampled_at=at, interval_s=60.0, host=host, device_uuid=uuid, pid=pid, model=model, **given) for at in self.minutes(hours)
        ]

    @staticmethod
    def minutes(hours: tuple[int, int]) -> Iterator[datetime]:
        return (DAY + timedelta(minutes=m + 1) for m in range(hours[0] * 60, hours[1] * 60))


def simulated() -> Sampler:
    s = Sampler()
    s.gpu("g1", "NVIDIA L4", "L4", "serve-1", busy=0.4)  # the parcels model alone, by host, asleep in the last three hours
    s.samples = [x if x.sampled_at <= DAY + timedelta(hours=21) else replace(x, utilisation_ratio=0.0) for x in s.samples]
    s.gpu("g2", "NVIDIA L4", "spot", "spot-7", busy=0.7, hours=(3, 20))  # a spot node that lived 17 hours
    s.run("g2", "spot-7", 1, "ranker", hours=(3, 20), version="9")
    s.gpu("g3", "NVIDIA L40S", "L40S", "shared-1", busy=0.5)  # time-sliced: three processes, one of nobody
    for pid, model, ran in ((1, "parcels", 0.3), (2, "ranker", 0.1), (3, "", 0.1)):
        s.run("g3", "shared-1", pid, model, sm_ratio=ran, version="1" if model == "parcels" else "")
    s.gpu("g4", "NVIDIA L40S", "L40S", "shared-2", busy=0.2)  # shared by the predictions of two models
    s.gpu("g5", "NVIDIA A100-SXM4-40GB", "A100", "rack-1", busy=None, power=250.0)  # cut in slices, some time of it
    for number, (sevenths, model) in enumerate(((3, "embedder"), (2, "parcels"))):
        uuid = f"g5-{number}"
        more = {"parent_uuid": "g5", "fraction": sevenths / 7}
        s.read(uuid, f"NVIDIA A100-SXM4-40GB MIG {sevenths}g", "rack-1", hours=(0, 24), busy=0.6, **more)
        s.run(uuid, "rack-1", number, model, attributed_by="container")
    s.gpu("g6", "NVIDIA A100-SXM4-40GB", "A100", "rack-2", busy=0.9, power=390.0, hours=(0, 12))  # training, then a gap of 12 hours
    s.run("g6", "rack-2", 1, "parcels", hours=(0, 12), purpose="training", team="lab")
    s.gpu("g7", "NVIDIA H100 80GB HBM3", "H100", "big-1", busy=0.0, hours=(0, 6), power=70.0)  # nobody's
    s.gpu("g8", "NVIDIA H100 80GB HBM3", "H100", "big-2", busy=0.8, hours=(0, 2), power=600.0)  # busy, nobody knows for whom
    return s


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Home:
    parcels = {**PARCELS, "team": "logistics", "cost": {"hosts": ["serve-1"]}}
    shared = {"cost": {"hosts": ["shared-2"]}}
    others = [monitor("ranker"), monitor("embedder"), monitor("prices", **shared), monitor("stock", **shared)]
    home = new_home(tmp_path_factory.mktemp("day") / "fleet", parcels, *others)
    home.prices.write_text(BOOK)
    world = simulated()
    home.lake.append_records(GpuSample, world.samples)
    seen_by_dcgm = [s for s in world.samples if s.device_uuid == "g3"]
    home.lake.append_records(
        GpuSample, [replace(s, sampled_at=s.sampled_at - timedelta(seconds=20), host="a.cluster", source="dcgm") for s in seen_by_dcgm]
    )
    home.lake.append_records(GpuSample, world.samples[::7])  # and some of them twice
    home.lake.append_records(GpuProcess, world.processes)
    _events(home)
    monitors = load_monitors(home)[0]
    for model in monitors.values():
        ingest(home, model, now=NOW)
        profile(home, model, now=NOW)
        measure(home, model, now=NOW)
    costs(home, monitors, now=NOW)
    return home


def _events(home: Home) -> None:
    for day in [*(date(2025, 1, n) for n in range(1, 15)), DAY.date()]:
        events, labels = parcels_world(datetime(day.year, day.month, day.day, tzinfo=UTC))
        pq.write_table(events, home.root / "inbox" / f"parcels-{day}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"delivered-{day}.parquet")
    for model, every_s in (("prices", 60), ("stock", 180)):
        moments = [DAY + timedelta(seconds=n * every_s) for n in range(86_400 // every_s)]
        rows = {"id": [f"{n}" for n in range(len(moments))], "at": pa.array(moments, pa.timestamp("us", "UTC")), "p": [1.0] * len(moments)}
        pq.write_table(pa.table(rows), home.root / "inbox" / f"{model}-1.parquet")


@pytest.fixture
def listed(fleet: Home, watchkeeper: Callable) -> list[dict[str, Any]]:
    asked = ("costs", "--json", "--by", "day", "--from", "2025-01-20", "--to", "2025-01-21", "--now", NOW.isoformat())
    rows: list[dict[str, Any]] = json.loads(watchkeeper(*asked, at=fleet).stdout)
    return rows


def due() -> tuple[int, Fraction]:
    """Return the bill by hand: every GPU's minutes, whole, once, at its price; in microseconds and in dollars."""
    billed = simulated().billed_us
    return int(sum(billed.values())), sum((us * Fraction(HOURLY[price]) / (60 * MINUTE_US) for price, us in billed.items()), Fraction(0))


def test_the_parts_add_up_to_the_bill_exactly_in_microseconds_and_to_the_cent(listed):
    microseconds, dollars = due()
    assert sum(r["gpu_us"] for r in listed) == microseconds
    assert sum(r["cents"] for r in listed) == round(dollars * 100)
    assert sum(r["cost"] for r in listed) == pytest.approx(float(dollars), rel=1e-12)


def test_every_model_idle_and_unattributed_have_a_row(listed):
    assert [r["model"] or r["account"] for r in listed] == ["embedder", "parcels", "prices", "ranker", "stock", "unattributed", "idle"]
    by = {r["model"] or r["account"]: r for r in listed}
    assert by["embedder"]["gpu_hours"] == pytest.approx(24 * 3 / 7, abs=1e-6)
    assert by["idle"]["gpu_hours"] == pytest.approx(6 + 24 * 2 / 7, abs=1e-6)
    assert by["unattributed"]["gpu_hours"] == pytest.approx(2 + 24 * 0.1 / 0.5, abs=1e-6)
    assert by["prices"]["gpu_hours"] == pytest.approx(3 * by["stock"]["gpu_hours"], rel=1e-9)
    assert by["prices"]["estimated_ratio"] == 1.0
    assert "an estimate" in by["prices"]["reason"]


def test_a_models_figures_are_those_worked_by_hand(listed):
    (row,) = [r for r in listed if r["model"] == "parcels"]
    hours = {"L4": 24, "L40S": 24 * 0.3 / 0.5, "A100": 24 * 2 / 7 + 12}
    money = sum(n * float(HOURLY[price]) for price, n in hours.items())
    assert row["gpu_hours"] == pytest.approx(sum(hours.values()), abs=1e-6)
    assert row["cost"] == pytest.approx(money, abs=1e-6)
    assert (row["training_gpu_hours"], row["training_cost"]) == (12.0, pytest.approx(12 * float(HOURLY["A100"])))
    serving = row["cost"] - row["training_cost"]
    assert (row["predictions"], row["cost_per_1000_predictions"]) == (200, pytest.approx(serving * 5))
    assert row["cost_per_correct_prediction"] == pytest.approx(serving / 200 / row["correct_ratio"])
    assert row["correct_state"] == "mature"
    assert row["wasted_ratio"] == pytest.approx(3 / row["gpu_hours"], abs=1e-6)
    assert 0 < row["busy_ratio"] < 1
    assert row["co2_kg"] > 0
    assert row["energy_kwh"] > 0
    assert row["team"] == "logistics"


@pytest.mark.parametrize("per", ["version", "team", "purpose", "attributed_by", "segment"])
def test_the_parts_that_are_shown_add_up_to_the_sum_below_them(fleet: Home, watchkeeper: Callable, per: str):
    asked = ("costs", "--per", per, "--by", "day", "--from", "2025-01-20", "--to", "2025-01-21", "--now", NOW.isoformat())
    shown = watchkeeper(*asked, at=fleet).stdout
    costs_shown = re.findall(r"^(parcels|ranker|embedder|prices|stock|unattributed|idle) .* ([\d,]+\.\d\d) +USD", shown, re.MULTILINE)
    assert {"parcels", "unattributed", "idle"} <= {model for model, _ in costs_shown}
    assert f"Sum: {sum(Decimal(cost.replace(',', '')) for _, cost in costs_shown):,.2f} USD\n" in shown


def test_parts_by_version_team_purpose_and_segment_add_up_to_the_model(listed):
    (row,) = [r for r in listed if r["model"] == "parcels"]
    for per in ("version", "team", "purpose", "attributed_by"):
        mine = [p for p in row["parts"] if p["per"] == per]
        assert sum(p["gpu_hours"] for p in mine) == pytest.approx(row["gpu_hours"], rel=1e-9)
        assert sum(p["cost"] for p in mine) == pytest.approx(row["cost"], rel=1e-9)
    assert {p["of"] for p in row["parts"] if p["per"] == "team"} == {"lab", "logistics"}
    assert {p["of"] for p in row["parts"] if p["per"] == "purpose"} == {"serving", "training"}
    assert {p["of"] for p in row["parts"] if p["per"] == "attributed_by"} == {"container", "host", "process"}
    depots = [p for p in row["parts"] if p["per"] == "segment"]
    assert {p["of"] for p in depots} == {"depot=north", "depot=south", "depot=east"}
    assert all(p["estimated_ratio"] == 1.0 for p in depots)
    assert sum(p["cost"] for p in depots) == pytest.approx(row["cost"], rel=1e-9)


def test_the_scores_of_the_day_say_what_the_bill_says(fleet, listed):
    (row,) = [r for r in listed if r["model"] == "parcels"]
    mine = [s for s in fleet.lake.newest(Score, as_of=NOW) if s.model == "parcels" and s.window_start == DAY and s.metric in ACCOUNTED]
    whole = {s.metric: s.value for s in mine if not s.version and not s.segment}
    assert whole.keys() == set(ACCOUNTED)
    keys = {"gpu_hours": "gpu_hours", "total_cost": "cost", "cost_per_correct_prediction": "cost_per_correct_prediction", "gpu_co2_kg": "co2_kg"}
    assert {m: whole[m] for m in keys} == {m: pytest.approx(row[k], rel=1e-9) for m, k in keys.items()}
    assert sum(s.value or 0 for s in mine if s.segment) == pytest.approx(row["cost"], rel=1e-9)
    assert {s.version for s in mine} == {"", "1"}


def test_people_see_the_sum_and_the_parts(fleet, watchkeeper: Callable):
    asked = ("costs", "--by", "day", "--from", "2025-01-20", "--to", "2025-01-21", "--now", NOW.isoformat())
    shown = watchkeeper(*asked, at=fleet).stdout
    assert f"Sum: {Decimal(round(due()[1] * 100)).scaleb(-2)} USD" in shown
    assert "12000 / (4 years x 8766 h) + 400 W / 1000 x PUE 1.3 x 0.11 per kWh" in shown
    assert "idle" in shown
    teams = watchkeeper(*asked, "--per", "team", at=fleet).stdout
    assert "logistics" in teams


def test_the_digest_tells_every_figure(fleet):
    told = digest_of(fleet, load_monitors(fleet)[0]["parcels"], Window(DAY, END), now=NOW, period="day").text
    for words in (
        "GPU-hours, ",
        " USD per 1,000 predictions, ",
        " USD per correct one.",
        "GPUs busy ",
        "nothing ran in 5 %",
        " kWh (an estimate: power times time), ",
        " kg of CO2",
        "Of it training 12.0 GPU-hours, 4.79 USD",
        "By segment, an estimate: depot north ",
        "Team: logistics",
        "idle, ",
        " unattributed",
    ):
        assert words in told, told
