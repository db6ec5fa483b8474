"""The only code that talks to Redis during a run: producers, workers, and the run around them."""
