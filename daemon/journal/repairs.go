// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// A repair is a change that Open has found necessary. It is made when the journal is used
// for the first time. So a start that is refused changes no file, and a start on a full or
// broken disk can deliver the existing records.
type repair struct {
	what   string
	do     func() error
	needed bool // nothing is appended before it is done
	logged bool // the log contains its failure
}

// A repairs is the list of repairs that are not done yet. Its lock is held while repairing, when
// the locks of the state, the cursors, the index and the damage are taken.
type repairs struct {
	cond *condition
	log  *slog.Logger

	mu   sync.Mutex
	list []*repair
}

// later adds a repair that nothing depends on.
func (p *repairs) later(what string, do func() error) { p.add(&repair{what: what, do: do}) }

func (p *repairs) add(r *repair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, r)
}

// run makes the journal fit for writing. The error is that of a repair that Append needs.
// Repairs that fail remain on the list, and the maintainer runs them again.
func (p *repairs) run() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	todo := p.list
	p.list = nil
	for _, r := range todo {
		rerr := r.do()
		if rerr == nil {
			continue
		}
		p.list = append(p.list, r)
		rerr = fmt.Errorf("%s: %w", r.what, rerr)
		if r.needed {
			err = errors.Join(err, rerr)
		}
		if !r.logged {
			r.logged = true
			p.log.Error("the journal could not be repaired; will try again", "error", rerr)
		}
	}
	p.cond.prepared(err)
	return err
}
