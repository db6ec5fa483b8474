"""What is sent to and received from Redis, as pure code: ids, tasks, commands, frames, replies.

Nothing here does I/O.
"""
