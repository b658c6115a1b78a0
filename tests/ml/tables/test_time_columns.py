"""Times as programs and people write them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from ml.tables.chunks import TableError
from ml.tables.number_columns import CellPlace
from ml.tables.time_columns import parse_times, read_times


@pytest.mark.parametrize(
    ("cells", "first", "remark"),
    [
        (["12/1/2010 8:26", "12/13/2010 9:00"], (2010, 12, 1, 8, 26), "dates as month/day"),
        (["1/12/2010 8:26", "13/12/2010 9:00"], (2010, 12, 1, 8, 26), "dates as day/month"),
        (["01/02/2010", "03/04/2010"], (2010, 1, 2), "dates as month/day, which the cells leave open"),
        (["01.02.2010", "03.04.2010"], (2010, 2, 1), "dates as day/month, which the cells leave open"),
        (["04-09-2012", "21-08-2013"], (2012, 9, 4), "dates as day/month"),
        (["1/5/24 3:00 PM", "1/26/24 4:00 AM"], (2024, 1, 5, 15), "dates as month/day"),
        (["09 13, 2009"], (2009, 9, 13), ""),
        (["01-Jan-1995"], (1995, 1, 1), ""),
        (["2009-05-04T23:08:57Z"], (2009, 5, 4, 23, 8, 57), ""),
        (["2015-06-02 05:02:12.117"], (2015, 6, 2, 5, 2, 12, 117000), ""),
        (["2024/01/02 10:11"], (2024, 1, 2, 10, 11), ""),
    ],
)
def test_a_time_is_read_in_the_order_that_the_column_tells(
    cells: list[str], first: tuple[int, ...], remark: str
) -> None:
    times = parse_times(pa.array(cells))
    assert times.values[0].as_py() == dt.datetime(*first, tzinfo=dt.UTC)
    assert times.remark == remark
    assert not times.is_bad.any()


def test_numbers_stay_numbers() -> None:
    assert parse_times(pa.array(["881250949", "20231101", "1383774671000.0"])).values.to_pylist() == [
        881250949,
        20231101,
        1383774671000,
    ]


MOMENT = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.float64()])
@pytest.mark.parametrize(
    ("number", "moment", "remark"),
    [
        (1_704_103_200, MOMENT, ""),
        (1_704_103_200_000, MOMENT, "numbers as milliseconds since 1970"),
        (1_704_103_200_000_000, MOMENT, "numbers as microseconds since 1970"),
        (1_704_103_200_000_000_000, MOMENT, "numbers as nanoseconds since 1970"),
        (20231101, dt.datetime(2023, 11, 1, tzinfo=dt.UTC), "numbers as dates of year, month and day"),
        (202401011000, MOMENT, "numbers as dates of year, month, day, hour and minute"),
        (20240101100000, MOMENT, "numbers as dates of year, month, day, hour, minute and second"),
    ],
)
def test_the_size_of_numbers_tells_their_unit(
    number: int, moment: dt.datetime, remark: str, kind: pa.DataType
) -> None:
    times = read_times(pa.array([number]).cast(kind, safe=False), CellPlace("a.csv", "ts", np.arange(1)))
    assert times.values[0].as_py() == moment
    assert times.remark == remark


def test_a_time_of_zero_among_others_is_said() -> None:
    times = read_times(pa.array([0, 1_704_103_200, 0, 1_704_103_201]), CellPlace("a.csv", "ts", np.arange(4)))
    assert times.remark == "2 of 4 numbers being 0, which is the first of January 1970"


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1, 2, 711], r"a.csv: column 'ts': numbers from 1 to 711 are no times. Expected seconds since 1970"),
        ([20231101, 20231301], r"numbers from 20231101 to 20231301 are no times"),
        ([20231301101010, 20231401101010], r"would be milliseconds after the year 2100"),
        ([4_200_000_000, 4_200_000_001], r"from 4200000000 to 4200000001 would be seconds after the year 2100"),
        ([1704103200000, 1704103200, 1704103200001], r"row 2: 1704103200 is not in milliseconds since 1970"),
    ],
)
def test_numbers_that_are_no_times_or_of_two_units_are_refused(numbers: list[int], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_times(pa.array(numbers), CellPlace("a.csv", "ts", np.arange(len(numbers))))


def test_a_number_that_no_unit_makes_a_time_is_refused() -> None:
    place = CellPlace("a.csv", "ts", np.arange(2))
    with pytest.raises(TableError, match=r"column 'ts', row 2: '99999999999999999999' is not a time"):
        read_times(pa.array(["5", "99999999999999999999"]), place)


def test_the_cell_that_is_no_time_is_named_and_not_its_neighbours() -> None:
    place = CellPlace("a.csv", "when", np.arange(3))
    with pytest.raises(TableError, match=r"a.csv: column 'when', row 2: 'soon' is not a time"):
        read_times(pa.array(["12/1/2010", "soon", "12/13/2010"]), place)
    with pytest.raises(TableError, match=r"row 3: there is no time"):
        read_times(pa.array(["2024-01-01", "2024-01-02", None]), place)
