"""The layout that the runqy documentation describes."""
