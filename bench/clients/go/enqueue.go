package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const maxRetry = 3

// seed is the function in runqy's guide, a task at a time.
func seed(rdb *redis.Client, queue string) enqueue {
	return func(ctx context.Context, payloads []map[string]any) error {
		for _, payload := range payloads {
			if _, err := enqueueTask(ctx, rdb, queue, payload, maxRetry); err != nil {
				return err
			}
		}
		return nil
	}
}

func enqueueTask(ctx context.Context, rdb *redis.Client, queue string, payload map[string]any, maxRetry int) (string, error) {
	taskID := uuid.New().String()

	payloadJSON, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}

	// Create task hash
	err = rdb.HSet(ctx, fmt.Sprintf("asynq:t:%s", taskID), map[string]any{
		"type":      "task",
		"payload":   string(payloadJSON),
		"retry":     "0",
		"max_retry": fmt.Sprintf("%d", maxRetry),
		"queue":     queue,
	}).Err()
	if err != nil {
		return "", err
	}

	// Push to pending list
	err = rdb.LPush(ctx, fmt.Sprintf("asynq:%s:pending", queue), taskID).Err()
	if err != nil {
		return "", err
	}

	return taskID, nil
}

// pipelined sends the same commands of a whole batch at once.
func pipelined(rdb *redis.Client, queue string) enqueue {
	pending := fmt.Sprintf("asynq:%s:pending", queue)
	return func(ctx context.Context, payloads []map[string]any) error {
		_, err := rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, payload := range payloads {
				payloadJSON, err := json.Marshal(payload)
				if err != nil {
					return err
				}
				taskID := uuid.New().String()
				pipe.HSet(ctx, "asynq:t:"+taskID,
					"type", "task",
					"payload", payloadJSON,
					"retry", "0",
					"max_retry", fmt.Sprintf("%d", maxRetry),
					"queue", queue,
				)
				pipe.LPush(ctx, pending, taskID)
			}
			return nil
		})
		return err
	}
}

// viaAsynq leaves keys and commands to asynq's own client.
func viaAsynq(rdb *redis.Client, queue string) enqueue {
	client := asynq.NewClientFromRedisClient(rdb)
	return func(ctx context.Context, payloads []map[string]any) error {
		for _, payload := range payloads {
			payloadJSON, err := json.Marshal(payload)
			if err != nil {
				return err
			}
			task := asynq.NewTask("task", payloadJSON)
			_, err = client.EnqueueContext(ctx, task, asynq.Queue(queue), asynq.MaxRetry(maxRetry))
			if err != nil {
				return err
			}
		}
		return nil
	}
}
