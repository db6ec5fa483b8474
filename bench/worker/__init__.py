"""The built-in worker: serves tasks as the documented runqy worker does, and records each."""
