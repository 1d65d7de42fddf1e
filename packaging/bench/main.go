// SPDX-License-Identifier: Apache-2.0

// Command bench compares the daemon's receive path with C programs that receive the
// same events, measures the daemon's delivery, and prints a table of each. `make bench`
// runs it.
//
// The programs run alternately: on a shared machine, a ratio within one round is more
// reliable than a number of nanoseconds.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
)

// A scenario is a load under which programs are compared with the first of them.
type scenario struct {
	load
	programs []program
	targets  map[program]target
	once     bool // not in each round: it measures losses, not time
}

func (s scenario) String() string { return fmt.Sprintf("%s, %d", s.name, s.text) }

const (
	small = 64 // bytes of text
	large = 512
)

var all = []program{cBatch, cLibnl, receiveOnly, cWrite, intoJournal}

func scenarios() []scenario {
	queued := map[program]target{
		receiveOnly: {ratio: 1.20, noAllocations: true},
		intoJournal: {ratio: 1.6, below: cLibnl},
	}
	live := map[program]target{
		receiveOnly: {ratio: 1.25, noAllocations: true},
		intoJournal: {ratio: 1.6, below: cLibnl, lossless: true},
	}
	// Pinned, because otherwise the ratio depends on where the scheduler runs the
	// programs.
	pinned := map[program]target{receiveOnly: {ratio: 1.6}}
	oneByOne := []program{cEpoll, receiveOnly, intoJournal}
	var list []scenario
	for _, text := range []int{small, large} {
		list = append(list,
			scenario{load: load{name: "100,000 queued, then received", events: 100_000, text: text, queued: true}, programs: all, targets: queued},
			scenario{load: load{name: "500,000 at full speed", events: 500_000, text: text}, programs: all, targets: live},
			scenario{load: load{name: "500,000 at 300,000/s", events: 500_000, text: text, rate: 300_000}, programs: all, targets: live},
			scenario{load: load{name: "3,000 at 1,000/s", events: 3_000, text: text, rate: 1_000}, programs: oneByOne},
			scenario{
				load:     load{name: "3,000 at 1,000/s, pinned", events: 3_000, text: text, rate: 1_000, pinned: true},
				programs: oneByOne, targets: pinned,
			},
		)
	}
	list = append(list, scenario{
		load:     load{name: "100,000 queued, journal on tmpfs", events: 100_000, text: large, queued: true, memory: true},
		programs: []program{cBatch, cLibnl, cWrite, intoJournal},
		targets:  map[program]target{intoJournal: queued[intoJournal]},
	})
	return append(list, scenario{
		load:     load{name: "a minute at 300,000/s", events: 60 * 300_000, text: small, rate: 300_000},
		programs: []program{intoJournal},
		targets:  map[program]target{intoJournal: {lossless: true}},
		once:     true,
	})
}

func main() {
	b := bench{}
	flag.StringVar(&b.programs, "programs", "build/bench", "`directory` of the programs that packaging/bench/build built")
	flag.StringVar(&b.journals, "journals", "build/bench", "`directory` for journals; the measurement includes its disk")
	only := flag.String("only", "", "`regular expression` for the loads that are wanted, such as \"full speed, 512\"")
	var r rounds
	flag.IntVar(&r.Receiving, "rounds", 9, "how often each program runs under each load")
	flag.IntVar(&r.Delivering, "delivery-rounds", 3, "how often each delivery runs")
	flag.Parse()
	if err := run(b, *only, r, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// rounds is the number of rounds of each table.
type rounds struct{ Receiving, Delivering int }

func run(b bench, only string, r rounds, w io.Writer) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	list := slices.DeleteFunc(scenarios(), func(s scenario) bool { return !wanted.MatchString(s.String()) })
	results := make([][]result, len(list))
	for round := range r.Receiving {
		for i, s := range list {
			if s.once && round < r.Receiving-1 {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s bytes\n", round+1, r.Receiving, s)
			if err := b.round(s, round, &results[i]); err != nil {
				return err
			}
		}
	}
	sinks := slices.DeleteFunc(deliveries(), func(d delivery) bool { return !wanted.MatchString(d.String()) })
	sent, err := b.deliverAll(sinks, r.Delivering)
	if err != nil {
		return err
	}
	return report(w, b, r, list, results, deliveryRows(sinks, sent))
}

// deliverAll runs each delivery once a round.
func (b bench) deliverAll(list []delivery, rounds int) ([]deliveredRounds, error) {
	sent := make([]deliveredRounds, len(list))
	for round := range rounds {
		for i, d := range list {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s bytes\n", round+1, rounds, d)
			one, err := b.deliver(d)
			if err != nil {
				return nil, err
			}
			one.ratio = ratioOf(one, d, list, sent)
			sent[i] = append(sent[i], one)
		}
	}
	return sent, nil
}

// ratioOf compares a result with that of the library under the same load in this round.
func ratioOf(one delivered, d delivery, list []delivery, sent []deliveredRounds) float64 {
	for i, other := range list {
		if rounds := sent[i]; other.to.sink == d.to.library && other.load == d.load && len(rounds) > 0 {
			return one.perSecond / rounds[len(rounds)-1].perSecond
		}
	}
	return 0
}

const tries = 5 // for a load that a busy machine cannot offer

// round runs each program of s once, starting with another one each time, and adds the
// samples. If the machine stays too busy to send at the rate of the load, the last
// sample counts, and the report contains the rate.
func (b bench) round(s scenario, round int, results *[]result) error {
	if *results == nil {
		*results = make([]result, len(s.programs))
	}
	for i := range s.programs {
		i = (i + round) % len(s.programs)
		sample, err := b.measure(s.programs[i], s.load)
		for try := 1; try < tries && err == nil && !offered(sample.sent, s.load); try++ {
			reportBusy(sample.sent, s.load)
			sample, err = b.measure(s.programs[i], s.load)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", s.programs[i].name, s.name, err)
		}
		(*results)[i] = append((*results)[i], sample)
	}
	return nil
}
