"""The observer process: it records when tasks end that external workers serve.

May be imported by run alone.
"""
