"""The parts of a run's record, each from what was collected. Pure: no clock, files or server."""
