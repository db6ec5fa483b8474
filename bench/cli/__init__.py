"""The command line. It only translates: words to values, errors to exit codes."""
