// The published method of a batching worker pool in Go, written anew with channels and sync: producers put units of
// work into a buffered channel, each with a WaitGroup that tells it that it is done; consumers collect units until a
// batch is full or the interval is over, and hand the batch to a function.
//
//	go run . -case lots      10,000 units at once, batches of at most 100, an interval of 1 ms
//	go run . -case tiny      the same with an interval of 1 ns: whatever is there leaves
//	go run . -case one       one unit outstanding, an interval of 1 ms: what a lone caller waits
//	go run . -case one-now   one unit outstanding, an interval of 1 ns
//
// The interval tumbles: it is started again by each flush, not by the first unit that waits, as in the original.
// Prints its figures as a line of JSON.
package main

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"
)

type unit struct {
	request  int
	response int
	done     sync.WaitGroup
}

type pool struct {
	queue   chan *unit
	batch   int
	every   time.Duration
	workers sync.WaitGroup
	work    func([]*unit)
}

func start(workers, batch int, every time.Duration, work func([]*unit)) *pool {
	p := &pool{queue: make(chan *unit, 1000), batch: batch, every: every, work: work}
	p.workers.Add(workers)
	for range make([]struct{}, workers) {
		go p.consume()
	}
	return p
}

// consume spins when there is nothing to do, giving way to other goroutines, as the original does.
func (p *pool) consume() {
	defer p.workers.Done()
	waiting := make([]*unit, 0, p.batch)
	flushed := time.Now()
	flush := func() {
		if len(waiting) > 0 {
			p.work(waiting)
			waiting = waiting[:0]
		}
		flushed = time.Now()
	}
	for {
		select {
		case u, open := <-p.queue:
			if !open {
				flush()
				return
			}
			waiting = append(waiting, u)
			if len(waiting) >= p.batch {
				flush()
			}
		default:
			if time.Since(flushed) >= p.every {
				flush()
			}
			runtime.Gosched()
		}
	}
}

func (p *pool) put(u *unit) {
	u.done.Add(1)
	p.queue <- u
}

func (p *pool) close() {
	close(p.queue)
	p.workers.Wait()
}

func identity(batch []*unit) {
	for _, u := range batch {
		u.response = u.request
		u.done.Done()
	}
}

type figures struct {
	Items   int     `json:"items"`
	Done    int     `json:"done"`
	Wrong   int     `json:"wrong"`
	Failed  int     `json:"failed"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	P50     float64 `json:"response_p50_us"`
	P99     float64 `json:"response_p99_us"`
	CPU     float64 `json:"cpu_us"`
}

// many puts all units, then waits for all, as the original's benchmark does.
func many(p *pool, items, repeats int) (figures, []time.Duration) {
	f := figures{}
	for range make([]struct{}, repeats) {
		units := make([]*unit, items)
		for i := range units {
			units[i] = &unit{request: i}
			p.put(units[i])
		}
		for i, u := range units {
			u.done.Wait()
			f.count(u.response == i)
		}
	}
	return f, nil
}

// one has a single unit outstanding.
func one(p *pool, items int) (figures, []time.Duration) {
	f := figures{}
	took := make([]time.Duration, items)
	for i := range took {
		begin := time.Now()
		u := &unit{request: i}
		p.put(u)
		u.done.Wait()
		took[i] = time.Since(begin)
		f.count(u.response == i)
	}
	return f, took
}

func (f *figures) count(right bool) {
	f.Items++
	if right {
		f.Done++
	} else {
		f.Wrong++
	}
}

func cpu() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func main() {
	name := flag.String("case", "lots", "lots, tiny, one or one-now")
	items := flag.Int("items", 10000, "units of one round")
	repeats := flag.Int("repeats", 100, "rounds of lots and tiny")
	workers := flag.Int("workers", runtime.NumCPU(), "consumers")
	flag.Parse()

	every := time.Millisecond
	if *name == "tiny" || *name == "one-now" {
		every = time.Nanosecond
	}
	p := start(*workers, 100, every, identity)
	run := func(rounds int) (figures, []time.Duration) { return many(p, *items, rounds) }
	if *name == "one" || *name == "one-now" {
		run = func(rounds int) (figures, []time.Duration) { return one(p, *items*rounds / *repeats) }
	}
	run(*repeats / 10)
	used, begin := cpu(), time.Now()
	f, took := run(*repeats)
	f.Seconds = time.Since(begin).Seconds()
	f.CPU = (cpu() - used) / float64(f.Items) * 1e6
	f.Rate = float64(f.Done) / f.Seconds
	p.close()
	if len(took) > 0 {
		sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
		f.P50 = float64(took[len(took)/2]) / 1e3
		f.P99 = float64(took[len(took)*99/100]) / 1e3
	}
	if json.NewEncoder(os.Stdout).Encode(f) != nil {
		os.Exit(1)
	}
}
