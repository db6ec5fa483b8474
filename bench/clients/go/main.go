// The Go clients of "bench clients": go-redis as the guide uses it, go-redis with its pipelines, and
// asynq's own client. Which one to be is said by --kind; the Redis URL comes through the environment,
// as process lists can be read.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const urlVariable = "BENCH_REDIS_URL"

type order struct {
	kind  string
	tasks int
	queue string
	batch int
}

// enqueue sends one batch, and returns once all of it has been answered.
type enqueue func(ctx context.Context, payloads []map[string]any) error

type line struct {
	Client    string     `json:"client"`
	Tasks     int        `json:"tasks"`
	ElapsedS  float64    `json:"elapsed_s"`
	CPUS      float64    `json:"cpu_s"`
	LatencyUS [][2]int64 `json:"latency_us"`
}

func main() {
	if err := run(context.Background(), readOrder()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func readOrder() order {
	var given order
	flag.StringVar(&given.kind, "kind", "", "seed, pipelined or asynq")
	flag.IntVar(&given.tasks, "tasks", 0, "how many tasks to enqueue")
	flag.StringVar(&given.queue, "queue", "", "the queue")
	flag.IntVar(&given.batch, "batch", 1, "tasks to send together")
	flag.Parse()
	return given
}

func run(ctx context.Context, given order) error {
	options, err := redis.ParseURL(os.Getenv(urlVariable))
	if err != nil {
		return errors.New(urlVariable + " cannot be read: write redis://USER:PASSWORD@HOST:PORT/DB")
	}
	options.MaxRetries = -1 // nothing is ever sent twice: a repeated enqueue would be two tasks
	rdb := redis.NewClient(options)
	defer rdb.Close()
	send, err := sender(rdb, given)
	if err != nil {
		return err
	}
	if err := rdb.Ping(ctx).Err(); err != nil {
		return err
	}
	measured, err := measure(ctx, given, send)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured)
}

func sender(rdb *redis.Client, given order) (enqueue, error) {
	switch given.kind {
	case "seed":
		return seed(rdb, given.queue), nil
	case "pipelined":
		return pipelined(rdb, given.queue), nil
	case "asynq":
		return viaAsynq(rdb, given.queue), nil
	}
	return nil, fmt.Errorf("--kind %s: it is seed, pipelined or asynq", given.kind)
}

func measure(ctx context.Context, given order, send enqueue) (line, error) {
	seen := latencies{}
	beganCPU, began := cpuTime(), time.Now()
	for start := 0; start < given.tasks; start += given.batch {
		payloads := make([]map[string]any, 0, given.batch)
		for number := start; number < min(start+given.batch, given.tasks); number++ {
			payloads = append(payloads, map[string]any{"input": fmt.Sprintf("hello %d", number)})
		}
		before := time.Now()
		if err := send(ctx, payloads); err != nil {
			return line{}, fmt.Errorf("task %d: %w", start, err)
		}
		seen.record(time.Since(before), len(payloads))
	}
	elapsed := time.Since(began)
	return line{
		Client:    "go-" + given.kind,
		Tasks:     given.tasks,
		ElapsedS:  elapsed.Seconds(),
		CPUS:      (cpuTime() - beganCPU).Seconds(),
		LatencyUS: seen.pairs(),
	}, nil
}

// cpuTime is the user and system time of this process.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
