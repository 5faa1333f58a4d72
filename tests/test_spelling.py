"""Names of segments: what is put together comes apart again, whatever values hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.spelling import dimension_of, is_segment, segment_name, segment_of, segment_pairs

DECLARED = ["shop", "size", "shop&size"]
values = st.text(st.sampled_from("ab&=%256\n é"), max_size=8)


@given(shop=values, size=values)
def test_a_name_comes_apart_into_what_it_was_put_together_from(shop, size):
    for pairs in ([("shop", shop)], [("shop", shop), ("size", size)]):
        name = segment_of(pairs)
        assert segment_pairs(name) == pairs
        assert is_segment(name)
        assert dimension_of(name, DECLARED) == "&".join(column for column, _ in pairs)
        assert segment_name(name, DECLARED) == name


@given(one=values, other=values)
def test_different_values_have_different_names(one, other):
    assert (segment_of([("shop", one)]) == segment_of([("shop", other)])) == (one == other)


@given(shop=values)
def test_one_segment_is_told_from_a_pair_whose_values_say_the_same(shop):
    assert segment_of([("shop", f"{shop}&size=3")]) != segment_of([("shop", shop), ("size", "3")])


def test_the_whole_has_the_empty_name():
    assert (segment_of([]), segment_pairs(""), dimension_of("", DECLARED)) == ("", [], "")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("shop=H&M", "shop=H%26M"),
        ("shop=H%26M", "shop=H%26M"),
        ("shop=H&M&size=3", "shop=H%26M&size=3"),
        ("shop=a&size=b&c", "shop=a&size=b%26c"),
        ("shop=a=b", "shop=a=b"),
        ("depot=H&M", "depot=H&M"),
        ("shop", "shop"),
    ],
)
def test_what_people_write_gets_its_name_where_a_declared_column_tells_how(said, name):
    assert segment_name(said, DECLARED) == name


@pytest.mark.parametrize(
    ("segment", "dimension"),
    [("shop=1", "shop"), ("shop=H&M", "shop"), ("shop=1&size=2", "shop&size"), ("size=2&shop=1", "size"), ("shops=1", ""), ("shop", "")],
)
def test_a_segment_is_of_the_dimension_with_most_columns_that_fits(segment, dimension):
    assert dimension_of(segment, DECLARED) == dimension


def test_a_column_of_a_dimension_is_its_name_and_no_pattern():
    assert (dimension_of("a.b=1", ["a.b"]), dimension_of("axb=1", ["a.b"])) == ("a.b", "")


@pytest.mark.parametrize("text", ["shop", "", "shop=1&size", "&shop=1"])
def test_a_text_that_lacks_a_value_is_no_segment(text):
    assert not is_segment(text)
