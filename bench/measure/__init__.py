"""Turns time stamps into figures: histograms, the ledger, series, the window and the verdict.

Pure code: no module in this package does I/O.
"""
