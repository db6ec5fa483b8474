"""The observer process: it records when tasks end that a worker of somebody else serves."""
