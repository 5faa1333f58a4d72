"""Numbers near the end of what a float holds are counted like others, without a word on standard error."""

import warnings

import numpy as np
import pyarrow as pa

from measure_world import counted
from watchkeeper.profiles.bins import fit_numeric
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.groups import GroupKey
from watchkeeper.profiles.parts import FEATURE, gathered, key_columns, part_rows
from watchkeeper.profiles.scan import Counters, Numbers

FAR = np.array([1e308, -1e308, 1e308, 1.7e308, 1.7e308, 0.0])


def test_far_numbers_are_counted_and_their_sums_are_what_floats_make_of_them():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bins = fit_numeric("x", FAR)
        ours = counted(bins, FAR)
        assert (ours.n, ours.valued, ours.low, ours.high, ours.sum2) == (6, 6, -1e308, 1.7e308, np.inf)
        assert ours.counts.tolist() == np.bincount(np.searchsorted(bins.edges, FAR))[ours.cells].tolist()
        zeros, one = np.zeros(6, np.int64), np.zeros(6, bool)
        assert of_rows(zeros, FAR, one, zeros, 1).of(0).sum2 == np.inf
        quantity = Numbers("x", bins)
        counters: Counters = quantity.counters(is_whole=True).grow(1)
        quantity.count(pa.array(FAR), [np.zeros(6, np.int32)], [counters])
        keys = [GroupKey(np.datetime64("2024-01-01", "us").astype(object), "b", "", "production")]
        part = part_rows(counters.counted(np.array([6])), key_columns(keys), kind=FEATURE, feature="x")
        [twice] = gathered(pa.concat_tables([part, part]), ("feature",)).values()
        assert twice.n == 12
