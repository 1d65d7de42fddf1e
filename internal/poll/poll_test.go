// SPDX-License-Identifier: Apache-2.0

package poll

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// recorder records the message that ends a test.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestUntilReturnsWhenTheConditionHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Until(t, "ten seconds", func() bool { return time.Since(began) > 10*time.Second })
		if late := time.Since(began) - 10*time.Second; late > maxInterval {
			t.Errorf("returned %v late", late)
		}
	})
}

func TestUntilEndsATestThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			UntilNil(r, "the answer", func() error { return errors.New("no answer") })
		}()
		<-done
		if r.fatal != "not within 4m0s: the answer: no answer" {
			t.Errorf("ended with %q", r.fatal)
		}
	})
}
