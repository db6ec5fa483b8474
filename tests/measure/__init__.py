"""What is measured, put together and judged."""
