// SPDX-License-Identifier: Apache-2.0

package match

import (
	"reflect"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// environment contains the fields of an event that an expression can use, with their
// types. An absent field is empty, 0 or the zero time.
//
// expr receives it by value, which copies it once. Fields behind a pointer are copied
// at each read, so the fields that filters use most are here.
type environment struct {
	Message   string `expr:"message"`
	Kind      string `expr:"kind"`
	Host      string `expr:"host"`
	Seq       int    `expr:"seq"`
	KernelSeq int    `expr:"kernel_seq"`
	*Others   `expr:"other fields"`

	*Attributes `expr:"used attributes"`
}

// Others are the fields that few expressions use. The type is exported for expr.
type Others struct {
	ID         string    `expr:"id"`
	Family     string    `expr:"family"`
	Group      string    `expr:"group"`
	Command    string    `expr:"command"`
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

// gap is zero if the event is not a gap.
type gap struct {
	Count  int    `expr:"count"`
	Reason string `expr:"reason"`
}

// environments builds the environments of one expression. It computes an expensive
// field only if the expression uses it. It is not safe for concurrent use.
type environments struct {
	message, id, loadID, labels, others bool

	attributes *attributeTable // nil without one
	values     *Attributes     // of the last event; nil likewise

	fields Others            // of the last event
	origin *event.Origin     // of byName
	byName map[string]string // labels of origin
}

func newEnvironments(x *expression) *environments {
	v := &environments{message: x.uses("message"), id: x.uses("id"), loadID: x.uses("load_id"), labels: x.uses("labels")}
	for i := range reflect.TypeFor[Others]().NumField() {
		v.others = v.others || x.uses(reflect.TypeFor[Others]().Field(i).Tag.Get("expr"))
	}
	if x.uses(attributesName) {
		v.attributes, v.values = x.attributes, new(Attributes)
	}
	return v
}

// build returns the environment of e, which is valid until the next call.
func (v *environments) build(e *event.Event, captures []string) environment {
	env := environment{
		Kind: e.Kind(), Host: e.Host, Others: &v.fields, Attributes: v.values,
		Seq: int(e.Seq), KernelSeq: int(e.KernelSeq),
	}
	if v.message {
		env.Message = string(e.Message)
	}
	if v.others {
		v.fill(e, captures)
	}
	if v.values != nil {
		v.values.fill(v.attributes, e)
	}
	return env
}

// fill sets the other fields. Times are in UTC, as they are written.
func (v *environments) fill(e *event.Event, captures []string) {
	v.fields = Others{
		Family: e.Family, Group: e.Group, Time: e.Time.UTC(), KernelTime: e.KernelTime.UTC(), Captures: captures,
	}
	if v.id {
		v.fields.ID = e.ID()
	}
	if v.loadID && e.LoadID != 0 {
		v.fields.LoadID = string(event.AppendLoadID(nil, e.LoadID))
	}
	if e.Content != nil {
		v.fields.Command = e.Content.Command
	}
	if e.Gap != nil {
		v.fields.Gap = gap{int(e.Gap.Count), e.Gap.Reason}
	}
	if o := e.Origin; o != nil {
		v.fields.MachineID, v.fields.BootID, v.fields.KernelRelease = o.MachineID, o.BootID, o.KernelRelease
		v.fields.Labels = v.labelsOf(o)
	}
}

// labelsOf returns the labels as a map, which it creates once per Origin.
func (v *environments) labelsOf(o *event.Origin) map[string]string {
	if v.labels && v.origin != o {
		v.origin, v.byName = o, make(map[string]string, len(o.Labels))
		for _, l := range o.Labels {
			v.byName[l.Name] = l.Value
		}
	}
	return v.byName
}
