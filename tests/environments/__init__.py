"""Every command in places and at ends that are not the usual ones: what it exits with and leaves."""
