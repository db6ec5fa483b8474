// A real asynq client and a real asynq server, for the tests of the asynq layout.
//
//	peer enqueue -queue inference.low -tasks 100
//	peer serve -queues inference.high=6,inference.low=1 -tasks 100 [-strict] [-work 2ms]
//	    [-fail-every 20] [-retry-every 10 -fail-attempts 2 -retry-delay 50ms]
//
// The server is in BENCH_REDIS_ADDR. Each mode ends with one line of JSON on standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

// What a server has done, as it counted itself.
type summary struct {
	// Attempts, whatever came of them.
	Processed int64 `json:"processed"`
	// Distinct tasks that ended for good.
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	// Attempts after which asynq tries the task once more.
	Retried   int64            `json:"retried"`
	Malformed int64            `json:"malformed"`
	ByQueue   map[string]int64 `json:"by_queue"`
	// Payloads that held the harness's stamps, and what came after them.
	Stamped  int64 `json:"stamped"`
	Bytes    int64 `json:"bytes"`
	E2EP50Us int64 `json:"e2e_p50_us"`
	// From the first task to the last, by this program's clock.
	ElapsedS float64 `json:"elapsed_s"`
	// In which order queues were served: one letter a task.
	Order string `json:"order"`
}

func main() {
	if len(os.Args) < 2 {
		fail("say enqueue or serve")
	}
	redis := asynq.RedisClientOpt{Addr: os.Getenv("BENCH_REDIS_ADDR")}
	switch os.Args[1] {
	case "enqueue":
		enqueue(redis, os.Args[2:])
	case "serve":
		serve(redis, os.Args[2:])
	default:
		fail("say enqueue or serve")
	}
}

func enqueue(redis asynq.RedisClientOpt, arguments []string) {
	flags := flag.NewFlagSet("enqueue", flag.ExitOnError)
	queue := flags.String("queue", "inference.default", "")
	tasks := flags.Int("tasks", 1, "")
	retry := flags.Int("retry", 25, "")
	check(flags.Parse(arguments))
	client := asynq.NewClient(redis)
	defer client.Close()
	ids := []string{}
	for number := range *tasks {
		payload := fmt.Appendf(nil, `{"input":"hello %d ☃"}`, number)
		info, err := client.Enqueue(asynq.NewTask("task", payload), asynq.Queue(*queue), asynq.MaxRetry(*retry))
		check(err)
		ids = append(ids, info.ID)
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"ids": ids}))
}

// Which tasks fail: each Nth distinct one, in the order in which they first ran; 0 for none.
type faults struct {
	forGoodEvery, attemptEvery int64
	// How many attempts fail of a task of attemptEvery.
	attempts int64
}

var (
	errForGood = fmt.Errorf("asked to fail for good: %w", asynq.SkipRetry)
	errAttempt = errors.New("asked to fail")
)

// What has become of one task.
type history struct {
	number, failures int64
	ended            bool
}

type counter struct {
	sync.Mutex
	summary
	faults
	tasks       map[string]*history
	first, last time.Time
	e2eUs       []int64
	order       []byte
}

func (c *counter) ProcessTask(ctx context.Context, task *asynq.Task) error {
	queue, _ := asynq.GetQueueName(ctx)
	now := time.Now()
	c.Lock()
	defer c.Unlock()
	if c.first.IsZero() {
		c.first = now
	}
	c.last = now
	c.Processed++
	c.ByQueue[queue]++
	c.Bytes += int64(len(task.Payload()))
	_, sub, _ := strings.Cut(queue, ".")
	if sub != "" {
		c.order = append(c.order, sub[0])
	}
	if dueUs, ok := due(task.Payload()); ok {
		c.Stamped++
		c.e2eUs = append(c.e2eUs, now.UnixMicro()-dueUs)
	}
	err := c.outcome(ctx)
	c.count(ctx, err)
	return err
}

// The task's history; a new one where it runs for the first time.
func (c *counter) history(ctx context.Context) *history {
	id, _ := asynq.GetTaskID(ctx)
	if c.tasks[id] == nil {
		c.tasks[id] = &history{number: int64(len(c.tasks)) + 1}
	}
	return c.tasks[id]
}

// What this attempt is to end with.
func (c *counter) outcome(ctx context.Context) error {
	task := c.history(ctx)
	if c.forGoodEvery > 0 && task.number%c.forGoodEvery == 0 {
		return errForGood
	}
	if c.attemptEvery > 0 && task.number%c.attemptEvery == 0 && task.failures < c.attempts {
		task.failures++
		return errAttempt
	}
	return nil
}

// Counts an attempt by asynq's rule: it archives a task that has no attempts left.
func (c *counter) count(ctx context.Context, err error) {
	retried, _ := asynq.GetRetryCount(ctx)
	limit, _ := asynq.GetMaxRetry(ctx)
	if err != nil && !errors.Is(err, asynq.SkipRetry) && retried < limit {
		c.Retried++
		return
	}
	task := c.history(ctx)
	if task.ended {
		return
	}
	task.ended = true
	if err == nil {
		c.Succeeded++
	} else {
		c.Failed++
	}
}

func due(payload []byte) (int64, bool) {
	const head = `{"due_us":`
	if !strings.HasPrefix(string(payload), head) || len(payload) < len(head)+16 {
		return 0, false
	}
	value, err := strconv.ParseInt(string(payload[len(head):len(head)+16]), 10, 64)
	return value, err == nil
}

// asynq tells of messages that it cannot decode in its log alone.
type logger struct{ malformed *atomic.Int64 }

func (l logger) note(words ...any) {
	text := fmt.Sprint(words...)
	if strings.Contains(text, "decode") || strings.Contains(text, "unmarshal") {
		l.malformed.Add(1)
	}
	fmt.Fprintln(os.Stderr, text)
}
func (l logger) Debug(words ...any) {}
func (l logger) Info(words ...any)  {}
func (l logger) Warn(words ...any)  { l.note(words...) }
func (l logger) Error(words ...any) { l.note(words...) }
func (l logger) Fatal(words ...any) { l.note(words...); os.Exit(1) }

func serve(redis asynq.RedisClientOpt, arguments []string) {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	queues := flags.String("queues", "inference.default=1", "")
	tasks := flags.Int64("tasks", 0, "stop after so many have ended for good; 0 for on a signal")
	strict := flags.Bool("strict", false, "")
	concurrency := flags.Int("concurrency", 10, "")
	work := flags.Duration("work", 0, "")
	failEvery := flags.Int64("fail-every", 0, "every Nth distinct task fails for good")
	retryEvery := flags.Int64("retry-every", 0, "every Nth distinct task fails on its first attempts")
	failAttempts := flags.Int64("fail-attempts", 1, "on how many of them")
	retryDelay := flags.Duration("retry-delay", 50*time.Millisecond, "")
	check(flags.Parse(arguments))
	weights := map[string]int{}
	for _, pair := range strings.Split(*queues, ",") {
		name, weight, _ := strings.Cut(pair, "=")
		number, err := strconv.Atoi(weight)
		check(err)
		weights[name] = number
	}
	counted := &counter{
		summary: summary{ByQueue: map[string]int64{}},
		faults:  faults{*failEvery, *retryEvery, *failAttempts},
		tasks:   map[string]*history{},
	}
	malformed := &atomic.Int64{}
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: *concurrency, Queues: weights, StrictPriority: *strict,
		TaskCheckInterval: time.Millisecond, ShutdownTimeout: 5 * time.Second,
		DelayedTaskCheckInterval: 50 * time.Millisecond,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return *retryDelay },
		Logger:                   logger{malformed},
	})
	check(server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		time.Sleep(*work)
		return counted.ProcessTask(ctx, task)
	})))
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	tick := time.NewTicker(5 * time.Millisecond)
wait:
	for {
		select {
		case <-stop:
			break wait
		case <-tick.C:
			counted.Lock()
			ended := counted.Succeeded + counted.Failed + malformed.Load()
			done := *tasks > 0 && ended >= *tasks
			counted.Unlock()
			if done {
				break wait
			}
		}
	}
	server.Shutdown()
	counted.Malformed = malformed.Load()
	counted.ElapsedS = counted.last.Sub(counted.first).Seconds()
	counted.Order = string(counted.order)
	if len(counted.e2eUs) > 0 {
		slices.Sort(counted.e2eUs)
		counted.E2EP50Us = counted.e2eUs[len(counted.e2eUs)/2]
	}
	check(json.NewEncoder(os.Stdout).Encode(counted.summary))
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "peer: "+message)
	os.Exit(1)
}
