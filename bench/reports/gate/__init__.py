"""A comparison for those who act on it: at a terminal, in a pull request, in the words of CI."""
