"""One run from a scenario to a record: processes, draining, sampling the server, clean-up."""
