"""The workload as pure functions of a seed: due times, sub-queues, sizes and service times."""
