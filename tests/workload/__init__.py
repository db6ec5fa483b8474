"""Tests of bench.workload."""
