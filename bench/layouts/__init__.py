"""Task-queue layouts: one folder each, and the registry through which all other code finds them.

No code outside this folder names a layout or imports one.
"""
