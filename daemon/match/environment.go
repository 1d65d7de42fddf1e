// SPDX-License-Identifier: Apache-2.0

package match

import (
	"reflect"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// environment has the fields of an event that an expression can name, with their
// types. What is not there is empty, 0 or the zero time.
//
// It goes to expr by value, which copies all of it once; what stands behind a
// pointer is copied whenever it is read. So those that filters are made of are here.
type environment struct {
	Message   string `expr:"message"`
	Kind      string `expr:"kind"`
	Host      string `expr:"host"`
	Seq       int    `expr:"seq"`
	KernelSeq int    `expr:"kernel_seq"`
	*Others   `expr:"other fields"`
}

// Others are the fields that few expressions name. It is exported for expr.
type Others struct {
	ID         string    `expr:"id"`
	Family     string    `expr:"family"`
	Group      string    `expr:"group"`
	Time       time.Time `expr:"time"`
	KernelTime time.Time `expr:"kernel_time"`
	LoadID     string    `expr:"load_id"`

	MachineID     string            `expr:"machine_id"`
	BootID        string            `expr:"boot_id"`
	KernelRelease string            `expr:"kernel_release"`
	Labels        map[string]string `expr:"labels"`

	Gap      gap      `expr:"gap"`
	Captures []string `expr:"captured texts"`
}

// gap is all zero when the event tells of no loss.
type gap struct {
	Count  int    `expr:"count"`
	Reason string `expr:"reason"`
}

// An environ makes environments for one expression: of what costs anything, only
// what the expression uses. It is not safe for concurrent use.
type environ struct {
	message, id, loadID, labels, others bool

	fields Others            // of the last event
	origin *event.Origin     // that byName is of
	byName map[string]string // its labels
}

func newEnviron(x *expression) *environ {
	v := &environ{message: x.uses("message"), id: x.uses("id"), loadID: x.uses("load_id"), labels: x.uses("labels")}
	for i := range reflect.TypeFor[Others]().NumField() {
		v.others = v.others || x.uses(reflect.TypeFor[Others]().Field(i).Tag.Get("expr"))
	}
	return v
}

// of returns the environment of e, which is good until the next call.
func (v *environ) of(e *event.Event, captures []string) environment {
	env := environment{
		Kind: e.Kind(), Host: e.Host, Others: &v.fields,
		Seq: int(e.Seq), KernelSeq: int(e.KernelSeq),
	}
	if v.message {
		env.Message = string(e.Message)
	}
	if v.others {
		v.fill(e, captures)
	}
	return env
}

// fill makes times UTC, as they are written.
func (v *environ) fill(e *event.Event, captures []string) {
	v.fields = Others{
		Family: e.Family, Group: e.Group, Time: e.Time.UTC(), KernelTime: e.KernelTime.UTC(), Captures: captures,
	}
	if v.id {
		v.fields.ID = e.ID()
	}
	if v.loadID && e.LoadID != 0 {
		v.fields.LoadID = string(event.AppendLoadID(nil, e.LoadID))
	}
	if e.Gap != nil {
		v.fields.Gap = gap{int(e.Gap.Count), e.Gap.Reason}
	}
	if o := e.Origin; o != nil {
		v.fields.MachineID, v.fields.BootID, v.fields.KernelRelease = o.MachineID, o.BootID, o.KernelRelease
		v.fields.Labels = v.labelsOf(o)
	}
}

// labelsOf makes a map once for all the events that share an Origin.
func (v *environ) labelsOf(o *event.Origin) map[string]string {
	if v.labels && v.origin != o {
		v.origin, v.byName = o, make(map[string]string, len(o.Labels))
		for _, l := range o.Labels {
			v.byName[l.Name] = l.Value
		}
	}
	return v.byName
}
