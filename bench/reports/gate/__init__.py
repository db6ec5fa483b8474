"""Comparisons as terminal text, Markdown, JUnit XML and GitHub annotations."""
