"""The built-in scenarios, as files that users may read and copy."""
