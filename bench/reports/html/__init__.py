"""Reports as self-contained HTML pages. Only this package uses the template engine.

Each kind of record has a module that turns it into a ``Section``, and a template of its own.
"""
