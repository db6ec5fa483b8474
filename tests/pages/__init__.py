"""The documentation's command lines, run as a reader would."""
