"""Every command in unusual places and to unusual ends: its exit code, and what it leaves."""
