"""What a host tells of itself: shares and rates since the reading before, and None for what the system does not count."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watchkeeper.adapters.host import HostMeter, carriers
from watchkeeper.samples import HostSample

LINES = "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm OutSegs RetransSegs InErrs\nTcp: 1 {sent} {again} 0\n"


def read(meter: HostMeter) -> HostSample:
    return meter.read(sampled_at=datetime(2025, 1, 1, tzinfo=UTC), interval_s=10.0, host="a")


def test_segments_sent_again_are_a_share_of_those_sent_since_the_reading_before(tmp_path):
    snmp = tmp_path / "snmp"
    snmp.write_text(LINES.format(sent=1000, again=500))
    meter = HostMeter(snmp=snmp)
    snmp.write_text(LINES.format(sent=1200, again=510))
    assert read(meter).tcp_retransmitted_ratio == pytest.approx(0.05)
    snmp.write_text(LINES.format(sent=1300, again=510))
    assert read(meter).tcp_retransmitted_ratio == 0.0
    assert read(meter).tcp_retransmitted_ratio is None, "nothing was sent"
    snmp.write_text(LINES.format(sent=7, again=0))
    assert read(meter).tcp_retransmitted_ratio is None, "the counters began anew"


@pytest.mark.parametrize("text", [None, "", "Tcp: OutSegs\n", "Tcp: OutSegs RetransSegs\nTcp: many few\n"])
def test_a_system_that_does_not_count_segments_tells_none(tmp_path, text):
    snmp = tmp_path / "snmp"
    if text is not None:
        snmp.write_text(text)
    assert read(HostMeter(snmp=snmp)).tcp_retransmitted_ratio is None


def test_bytes_that_pass_bridges_bonds_and_pairs_are_counted_once_at_the_device(tmp_path):
    for name in ("lo", "eth0", "eth1", "bond0", "cni0", "veth1a"):
        (tmp_path / name).mkdir()
    every = sorted(p.name for p in tmp_path.iterdir())
    assert carriers(every, tmp_path) == ["bond0", "cni0", "eth0", "eth1", "veth1a"], "a container sees no devices"
    (tmp_path / "eth0" / "device").mkdir()
    (tmp_path / "eth1" / "device").mkdir()
    assert carriers(every, tmp_path) == ["eth0", "eth1"]


def test_shares_lie_between_nothing_and_all_and_rates_are_not_negative():
    meter = HostMeter()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        sum(range(1000))
    sample = read(meter)
    shares = [sample.cpu_ratio, sample.io_wait_ratio]
    rates = [sample.disk_read_bytes_s, sample.disk_written_bytes_s, sample.network_received_bytes_s, sample.network_sent_bytes_s]
    assert all(s is None or 0 <= s <= 1 for s in shares)
    assert all(r is None or r >= 0 for r in rates)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux counts what processors wait for")
def test_linux_tells_what_processors_waited_for_and_what_the_network_carried():
    sample = read(HostMeter())
    assert None not in (sample.io_wait_ratio, sample.network_received_bytes_s, sample.network_sent_bytes_s)
