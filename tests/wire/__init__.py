"""Tests of bench.wire."""
