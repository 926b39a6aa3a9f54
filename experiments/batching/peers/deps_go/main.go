// The published method of running dependent units in Go, written anew with channels and sync: a pool of goroutines takes
// units from a queue; a worker first waits for all that its unit depends on, then sleeps 1 ms as the unit's work, then
// tells those who wait for the unit. A unit that waits holds its goroutine.
//
//	go run . -method waitgroups    a unit is done when its WaitGroup is
//	go run . -method channels      a unit is done when its channel is closed
//
// The tree has `layers` layers of dependencies below its root, `fan` for each unit: with 4 and 10 it is 11,111 units.
// A round makes all units, puts them into the queue and waits for the root. Prints its figures as a line of JSON.
package main

import (
	"encoding/json"
	"flag"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type signal interface {
	set()
	wait()
}

type group struct{ sync.WaitGroup }

func (g *group) set()  { g.Done() }
func (g *group) wait() { g.Wait() }

type channel chan struct{}

func (c channel) set()  { close(c) }
func (c channel) wait() { <-c }

type unit struct {
	after []*unit
	done  signal
}

type tree struct {
	queue   chan *unit
	pause   time.Duration
	ran     int64
	newDone func() signal
}

func (t *tree) work() {
	for u := range t.queue {
		for _, d := range u.after {
			d.done.wait()
		}
		time.Sleep(t.pause)
		atomic.AddInt64(&t.ran, 1)
		u.done.set()
	}
}

func (t *tree) grow(layers, fan int) *unit {
	u := &unit{done: t.newDone()}
	for i := 0; layers > 0 && i < fan; i++ {
		u.after = append(u.after, t.grow(layers-1, fan))
	}
	t.queue <- u
	return u
}

type figures struct {
	Items int     `json:"items"`
	Done  int     `json:"done"`
	Tree  float64 `json:"tree_ms"`
	Least float64 `json:"tree_ms_min"`
	CPU   float64 `json:"cpu_us"`
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
	method := flag.String("method", "waitgroups", "waitgroups or channels")
	layers := flag.Int("layers", 4, "layers of dependencies below the root")
	fan := flag.Int("fan", 10, "dependencies of each unit")
	pause := flag.Duration("pause", time.Millisecond, "what a unit sleeps")
	workers := flag.Int("workers", 10000, "goroutines")
	rounds := flag.Int("rounds", 21, "after three to warm up")
	flag.Parse()

	t := &tree{queue: make(chan *unit, 1000), pause: *pause}
	t.newDone = func() signal { return make(channel) }
	if *method == "waitgroups" {
		t.newDone = func() signal {
			g := &group{}
			g.Add(1)
			return g
		}
	}
	for i := 0; i < *workers; i++ {
		go t.work()
	}
	var took []float64
	var used float64
	var before int64
	for i := -3; i < *rounds; i++ {
		if i == 0 {
			used, before = cpu(), atomic.LoadInt64(&t.ran)
		}
		begin := time.Now()
		t.grow(*layers, *fan).done.wait()
		if i >= 0 {
			took = append(took, time.Since(begin).Seconds()*1e3)
		}
	}
	units, size := 0, 1
	for i := 0; i <= *layers; i, size = i+1, size**fan {
		units += size
	}
	f := figures{Items: units * *rounds, Done: int(atomic.LoadInt64(&t.ran) - before)}
	f.CPU = (cpu() - used) / float64(f.Items) * 1e6
	sort.Float64s(took)
	f.Tree, f.Least = took[len(took)/2], took[0]
	if json.NewEncoder(os.Stdout).Encode(f) != nil {
		os.Exit(1)
	}
}
