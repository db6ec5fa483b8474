"""A fuzzer of the whole program: scenarios, command lines, records, hostile servers, messages.

A *case* is one invocation with its files, made of valid examples and edits, so that it can be
written down and made smaller. It runs in a process of its own whose time and memory are bounded.
One oracle says whether the way in which it ended is acceptable. ``corpus/`` holds the inputs that
failed at any time, each with the exit codes that are right for it.

    python -m tests.fuzz --seed 7 --cases 1000 records flags
"""
