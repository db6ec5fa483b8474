"""The command line. It only translates: arguments to values, errors to exit codes."""
