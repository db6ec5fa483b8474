"""Tests of what monitoring is shown."""
