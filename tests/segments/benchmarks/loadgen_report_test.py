"""Reading LoadGen's logs: numbers, verdict, reasons, and what is missing."""

import pytest

from fastbert_tf.segments.benchmarks.loadgen_report import read_report

# As LoadGen 6.0.17 wrote it, less the lines that nothing reads.
SERVER = """\
================================================
MLPerf Results Summary
================================================
SUT name : PySUT
Scenario : Server
Mode     : PerformanceOnly
Completed samples per second    : 187.81
Result is : INVALID
  Performance constraints satisfied : NO
  Min duration satisfied : Yes
  Min queries satisfied : Yes
  Early stopping satisfied: NO
Recommendations:
 * Reduce target QPS to improve latency.
Early Stopping Result:
 * Run unsuccessful.
 * Processed 190 queries.
 * Would need to run at least 269 more queries,
 with the run being successful if every additional
 query were under latency.

================================================
Additional Stats
================================================
Scheduled samples per second : 187.85
Min latency (ns)                : 44379
50.00 percentile latency (ns)   : 194726
90.00 percentile latency (ns)   : 384490
99.00 percentile latency (ns)   : 3188720
99.90 percentile latency (ns)   : 4721849

================================================
Test Parameters Used
================================================
samples_per_query : 1
target_qps : 200
min_query_count : 10

No warnings encountered during test.

No errors encountered during test.
"""
SINGLE_STREAM = """\
Scenario : SingleStream
90.0th percentile latency (ns) : 9368
Result is : INVALID
  Min duration satisfied : NO
  Min queries satisfied : Yes
  Early stopping satisfied: Yes
Recommendations:
 * Decrease the expected latency so the loadgen pre-generates more queries.
Early Stopping Result:
 * Processed at least 64 queries (1001).
 * Early stopping 90.0th percentile estimate: 9628

QPS w/ loadgen overhead         : 120797.76
50.00 percentile latency (ns)   : 5299
90.00 percentile latency (ns)   : 9368
99.00 percentile latency (ns)   : 25287
samples_per_query : 1
"""
OFFLINE = """\
Scenario : Offline
Samples per second: 1.5e+06
Result is : VALID
  Min duration satisfied : Yes
  Min queries satisfied : Yes
  Early stopping satisfied: Yes

50.00 percentile latency (ns)   : 1620109
90.00 percentile latency (ns)   : 1620109
99.00 percentile latency (ns)   : 1620109
samples_per_query : 550
"""
EVENT = ':::MLLOG {"key": "%s", "value": %s, "time_ms": 0.01}\n'


def detail(num_queries, *others):
    return "".join([*others, EVENT % ("result_query_count", num_queries)])


def test_numbers_are_read_in_milliseconds():
    report = read_report("server", SERVER, detail(190))
    assert report.scenario == "server"
    assert report.rows_per_second == 187.81
    assert report.latency_p50_ms == pytest.approx(0.194726)
    assert report.latency_p90_ms == pytest.approx(0.384490)
    assert report.latency_p99_ms == pytest.approx(3.188720)
    assert report.num_queries == report.num_rows == 190


def test_each_condition_that_failed_is_a_reason_with_its_remarks():
    report = read_report("server", SERVER, detail(190))
    assert not report.is_valid
    assert report.reasons == (
        "Performance constraints satisfied : NO",
        "Early stopping satisfied: NO",
        "Reduce target QPS to improve latency.",
        "Run unsuccessful.",
        "Processed 190 queries.",
        "Would need to run at least 269 more queries, with the run being "
        "successful if every additional query were under latency.",
    )


def test_early_stopping_is_no_reason_when_it_is_content():
    report = read_report("single_stream", SINGLE_STREAM, detail(1001))
    assert report.rows_per_second == 120797.76
    assert report.reasons == (
        "Min duration satisfied : NO",
        "Decrease the expected latency so the loadgen pre-generates more "
        "queries.",
    )


def test_a_valid_run_has_no_reasons():
    report = read_report("offline", OFFLINE, detail(1))
    assert report.is_valid
    assert report.reasons == ()
    assert report.rows_per_second == 1.5e6
    assert (report.num_queries, report.num_rows) == (1, 550)


def test_errors_are_reasons_whatever_the_verdict():
    error = EVENT % ("error_runtime", '"Ending early: why"')
    report = read_report("offline", OFFLINE, detail(1, error))
    assert report.is_valid
    assert report.reasons == ("Ending early: why",)


def test_lines_of_no_interest_need_not_be_json():
    other = ':::MLLOG {"key": "loadgen_git_log_message", "value": "a "b""}\n'
    assert read_report("offline", OFFLINE, detail(1, other)).is_valid


def test_a_verdict_unheard_of_is_not_valid():
    summary = OFFLINE.replace(": VALID", ": PERHAPS")
    assert not read_report("offline", summary, detail(1)).is_valid


@pytest.mark.parametrize(
    "line",
    [
        "Result is",
        "Samples per second",
        "samples_per_query",
        "50.00 percentile latency (ns)",
        "99.00 percentile latency (ns)",
    ],
)
def test_a_missing_line_is_named(line):
    summary = OFFLINE.replace(line, "something else")
    with pytest.raises(ValueError) as error:
        read_report("offline", summary, detail(1))
    assert f"must have {line!r}. Received: [" in str(error.value)


def test_a_missing_number_of_queries_is_named():
    with pytest.raises(ValueError, match="'result_query_count'"):
        read_report("offline", OFFLINE, "")
