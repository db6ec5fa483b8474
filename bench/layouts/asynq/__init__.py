"""The layout of hibiken/asynq."""
