"""Tests of what a self-test plants, and of whether a wrong measurement is found out."""
