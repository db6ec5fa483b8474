"""From stamps to figures, as pure code: histograms, the ledger, windows, series, the verdict."""
