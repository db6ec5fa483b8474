"""The layout that today's runqy server and its workers write."""
