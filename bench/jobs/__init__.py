"""Work that takes many runs: each is a ``bench run`` of its own, saved as it ends."""
