"""The modules that a run starts as processes. Their ``main`` gets two descriptors as arguments."""

PRODUCER = "bench.producer.process"
WORKER = "bench.worker.process"
OBSERVER = "bench.observer.process"
IMPORTED_FIRST = (PRODUCER, WORKER)
"""Those that most runs start: the others share nearly all of what they import."""
