"""What goes over the wire, as pure functions: keys, ids, tasks, frames and replies. No I/O."""
