"""From values to text. Reports compute nothing and decide nothing."""
