"""Reports as one HTML file each. Only this package knows the template engine.

A kind of record is a module here that makes a ``Section`` of it, and a template of its own.
"""
