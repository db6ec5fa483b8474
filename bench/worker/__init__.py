"""The built-in worker: it serves tasks as the documented runqy worker does, and records each.

May be imported by the packages that run workers: run and the command line.
"""
