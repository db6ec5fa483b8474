"""Speed, measured by hand and printed: ``python -m tests.benchmarks``. Nothing here is a test."""
