// SPDX-License-Identifier: Apache-2.0

package state

import (
	"math"
	"reflect"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
)

// stored encodes a value and pads it, as a slot does.
func stored(v *Value) []byte {
	return append(v.Encode(), make([]byte, slot.ValueLen-len(v.Encode()))...)
}

func testValue() Value {
	return Value{
		Identity: segment.Identity{ID: 1, Mark: 2}, Reserved: 3, Position: segment.Position{Next: 4, Index: 5},
		Generation: 6, Synced: 7, Oldest: 8, Newest: 9,
	}
}

func TestValueRoundTrip(t *testing.T) {
	want := testValue()
	for name, change := range map[string]func(*Value){
		"running":            func(*Value) {},
		"clean":              func(v *Value) { v.Clean = true },
		"with a failed sync": func(v *Value) { v.SyncFailed = true },
	} {
		v := want
		change(&v)
		if got := Parse(stored(&v)); got != v {
			t.Errorf("%s: got %+v, want %+v", name, got, v)
		}
	}
	if n := len(want.Encode()); n > slot.ValueLen {
		t.Errorf("%d bytes do not fit into a slot of %d", n, slot.ValueLen)
	}
}

// TestValueFieldsDoNotOverlap sets each number to its maximum.
func TestValueFieldsDoNotOverlap(t *testing.T) {
	fields := func(v *Value) []*uint64 {
		return []*uint64{
			&v.ID, &v.Mark, &v.Reserved, &v.Next, &v.Index, &v.Generation, &v.Synced, &v.Oldest, &v.Newest,
		}
	}
	numbers := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Value]()) {
		if f.Type.Kind() == reflect.Uint64 {
			numbers++
		}
	}
	v := testValue()
	if n := len(fields(&v)); n != numbers {
		t.Fatalf("the test has %d of the %d numbers of a value", n, numbers)
	}
	for i := range numbers {
		v := testValue()
		*fields(&v)[i] = math.MaxUint64
		if got := Parse(stored(&v)); got != v {
			t.Errorf("number %d: got %+v, want %+v", i, got, v)
		}
	}
}

func TestValueOfWrongLengthIsZero(t *testing.T) {
	v := testValue()
	whole := stored(&v)
	for _, b := range [][]byte{nil, whole[:1], whole[:slot.ValueLen-1], append(whole, 0)} {
		if got := Parse(b); got != (Value{}) {
			t.Errorf("%d bytes are read as %+v", len(b), got)
		}
	}
}

func FuzzParse(f *testing.F) {
	v := testValue()
	f.Add(stored(&v))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		v := Parse(b)
		if again := Parse(stored(&v)); again != v {
			t.Errorf("%+v is read again as %+v", v, again)
		}
		if v.Clean && v.SyncFailed {
			t.Error("clean, and an fsync has failed")
		}
	})
}
