"""What is asked for, as pure functions of a seed: when, to which queue, how large, how long."""
