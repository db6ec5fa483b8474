"""Exports, read back as the other tools would."""

import contextlib
import csv
import io
import re
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from bench.errors import RecordError
from bench.measure.histogram import Histogram
from bench.records.run_record import LatencySummary, RunRecord
from bench.records.summaries import summarise
from bench.reports import exports
from bench.reports.data_tables import table_of, to_csv
from tests import golden
from tests.records.fixtures import example_record


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return example_record()


def test_the_texts_are_those_that_were_looked_at(record: RunRecord) -> None:
    golden.check("e2e.hgrm.txt", exports.hgrm(record, "e2e", "all"))
    golden.check("series.csv.txt", to_csv(table_of(record)))
    golden.check("histograms.hdr.txt", exports.hdr(record))


def test_the_histogram_log_is_read_by_the_histogram_librarys_own_reader(
    record: RunRecord, tmp_path: Path
) -> None:
    log = tmp_path / "run.hdr"
    log.write_text(exports.hdr(record))
    read = {}
    empty = HdrHistogram(1, 3_600_000_000, 3)
    with contextlib.closing(HistogramLogReader(str(log), empty)) as reader:
        while (histogram := reader.get_next_interval_histogram()) is not None:
            read[histogram.get_tag()] = histogram
    expected = {
        f"{interval}.{queue}": summary
        for interval, queues in record.latency.items()
        for queue, summary in queues.items()
    }
    assert read.keys() == expected.keys()
    for tag, summary in expected.items():
        assert read[tag].get_total_count() == summary.count
        for percent, value_s in ((50, summary.p50_s), (99, summary.p99_s)):
            assert value_s is not None
            assert read[tag].get_value_at_percentile(percent) == pytest.approx(
                value_s * 1e6, rel=2e-3
            )


def test_an_interval_without_samples_is_left_out_of_the_log(record: RunRecord) -> None:
    latency = {**record.latency, "service": {"all": LatencySummary(count=0)}}
    text = exports.hdr(msgspec.structs.replace(record, latency=latency))
    assert "Tag=service" not in text
    assert text.count("Tag=") == sum(
        len(queues) for interval, queues in record.latency.items() if interval != "service"
    )


def test_the_series_is_one_row_a_second_under_its_columns(record: RunRecord) -> None:
    header, *rows = csv.reader(io.StringIO(to_csv(table_of(record))))
    assert header == record.series.columns
    assert [[float(cell) if cell else None for cell in row] for row in rows] == record.series.rows


HGRM_ROW = re.compile(r"\s*(\d+\.\d{3}) (\d\.\d{12})\s+(\d+)(?:\s+(\d+\.\d\d))?")


@pytest.mark.parametrize("queue", ["all", "inference_high"])
@pytest.mark.parametrize("interval", ["e2e", "schedule_lag"])
def test_a_percentile_distribution_rises_to_all_samples_and_the_largest_value(
    record: RunRecord, interval: str, queue: str
) -> None:
    summary = record.latency[interval][queue]
    text = exports.hgrm(record, interval, queue)
    matches = [HGRM_ROW.fullmatch(line) for line in text.splitlines()[2:-3]]
    assert None not in matches
    rows = [(float(m[1]), float(m[2]), int(m[3]), m[4]) for m in matches if m is not None]
    for column in range(3):
        values = [float(row[column] or 0) for row in rows]
        assert values == sorted(values)
    assert summary.min_s is not None
    assert summary.max_s is not None
    assert rows[0][0] == pytest.approx(summary.min_s * 1e3, rel=2e-3)
    value_ms, share, count, inverse = rows[-1]
    assert (share, count, inverse) == (1.0, summary.count, None)
    assert value_ms == pytest.approx(summary.max_s * 1e3, rel=2e-3)
    assert sum(1 for _, share, _, _ in rows if share < 0.5) == 5
    assert f"Total count    = {summary.count:12d}]" in text


def test_a_percentile_distribution_says_what_the_record_says(record: RunRecord) -> None:
    text = exports.hgrm(record, "e2e", "all")
    values = {float(row.split()[1]): float(row.split()[0]) for row in text.splitlines()[2:-3]}
    summary = record.latency["e2e"]["all"]
    assert summary.p50_s is not None
    assert summary.p90_s is not None
    assert values[0.5] == pytest.approx(summary.p50_s * 1e3, rel=2e-3)
    assert values[0.9] == pytest.approx(summary.p90_s * 1e3, rel=2e-3)
    assert f"#[Mean    = {(summary.mean_s or 0) * 1e3:12.3f}" in text


def test_a_distribution_of_nothing_is_refused_as_its_zeros_would_be_read_as_latencies(
    record: RunRecord,
) -> None:
    empty = msgspec.structs.replace(record, latency={"e2e": {"all": summarise(Histogram())}})
    with pytest.raises(RecordError, match="no latency of e2e was measured in this run"):
        exports.hgrm(empty, "e2e", "all")
    with pytest.raises(RecordError, match="no latency was measured in this run"):
        exports.hdr(empty)


@pytest.mark.parametrize(("interval", "queue"), [("e3e", "all"), ("e2e", "inference_hihg")])
def test_what_the_record_does_not_have_is_a_key_error(
    record: RunRecord, interval: str, queue: str
) -> None:
    with pytest.raises(KeyError):
        exports.hgrm(record, interval, queue)


@pytest.mark.parametrize("queue", ["a,b", "a b", "a%2Cb", "q_日本", "x\ny", "a|b"])
def test_a_reader_of_the_histogram_log_gets_every_name_back(
    record: RunRecord, tmp_path: Path, queue: str
) -> None:
    """A comma would end the tag, and the line's figures would be read from the wrong places."""
    odd = msgspec.structs.replace(record, latency={"e2e": {queue: record.latency["e2e"]["all"]}})
    log = tmp_path / "run.hdr"
    log.write_text(exports.hdr(odd), encoding="utf-8")
    empty = HdrHistogram(1, 3_600_000_000, 3)
    with contextlib.closing(HistogramLogReader(str(log), empty)) as reader:
        histogram = reader.get_next_interval_histogram()
        assert reader.get_next_interval_histogram() is None
    assert unquote(histogram.get_tag()) == f"e2e.{queue}"
    assert histogram.get_total_count() == record.latency["e2e"]["all"].count
