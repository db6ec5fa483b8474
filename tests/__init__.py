"""Tests: one file for each module of bench."""
