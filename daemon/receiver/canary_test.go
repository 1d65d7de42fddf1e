// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

const canaryText = "genltestd canary 0123456789abcdef0123456789abcdef"

func (f fixture) expect(t *testing.T, text string) {
	t.Helper()
	if err := f.ExpectCanary(text); err != nil {
		t.Fatal(err)
	}
}

// The texts are those of a program that tries to hide an event.
func TestOnlyTheExpectedTextBecomesACanaryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		hostile := []string{
			"", "genltestd canary ", canaryText, canaryText + "\n\n", " " + canaryText, canaryText[:len(canaryText)-1],
			"genltestd canary 00000000000000000000000000000000", strings.ToUpper(canaryText), canaryText + " x",
		}
		for _, text := range hostile {
			f.send(unnumbered(34, text))
		}
		f.want(t, hostile...)
		if f.ReceivedCanary(canaryText) {
			t.Error("received although it was not expected")
		}
		f.expect(t, canaryText)
		for _, text := range hostile {
			f.send(unnumbered(34, text))
		}
		f.send(unnumbered(34, canaryText), unnumbered(34, canaryText))
		want := append(hostile, hostile...)
		want[len(hostile)+2] = "canary: " + canaryText
		f.want(t, append(want, canaryText, canaryText)...)
		if !f.ReceivedCanary(canaryText) || f.ReceivedCanary("") {
			t.Error("the canary was not received")
		}
		f.stop()
	})
}

func TestACanaryIsRecognizedAmongGapsAndNumberedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.expect(t, canaryText)
		with := func(seq uint64, text string) genl.Message {
			return genl.Message{Data: kernelmsg.EventOf(34, kernelmsg.Text(text), kernelmsg.Seq(seq), kernelmsg.LoadID(7))}
		}
		f.send(with(1, "a"), with(5, canaryText), with(6, "b"))
		f.want(t, "a", "3 lost: unexplained 2-4", "canary: "+canaryText, "b")
		if f.Received() != 3 {
			t.Errorf("received %d", f.Received())
		}
		f.stop()
	})
}

// The first versions of the module do not remove the newline that a writer appends.
func TestACanaryOfAnOldModuleIsRecognized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.expect(t, canaryText)
		f.send(unnumbered(34, canaryText+"\n"))
		f.want(t, "canary: "+canaryText+"\n")
		f.stop()
	})
}

func TestAnExpectedCanaryExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.expect(t, canaryText)
		time.Sleep(canaryTime / 2)
		if err := f.ExpectCanary("other"); err == nil || !strings.Contains(err.Error(), "try again in 31 s") {
			t.Errorf("a second canary: %v", err)
		}
		time.Sleep(canaryTime)
		f.send(unnumbered(34, canaryText))
		f.want(t, canaryText)
		f.expect(t, "other")
		f.send(unnumbered(34, "other"))
		f.want(t, canaryText, "canary: other")
		f.stop()
	})
}

func TestACanaryThatWaitsForTheJournalDoesNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(first))
		f.expect(t, canaryText)
		full := func(err error) {
			f.journal.mu.Lock()
			defer f.journal.mu.Unlock()
			f.journal.err = err
		}
		full(unix.ENOSPC)
		f.send(unnumbered(34, "a"))
		time.Sleep(time.Second)
		f.send(unnumbered(34, canaryText))
		time.Sleep(5 * canaryTime)
		if err := f.ExpectCanary("other"); err == nil || !strings.Contains(err.Error(), "does not accept events") {
			t.Errorf("a canary while the journal is full: %v", err)
		}
		full(nil)
		time.Sleep(time.Second)
		f.want(t, "a", "canary: "+canaryText)
		f.stop()
	})
}

func TestACanaryRemainsOneForTheNextProcess(t *testing.T) {
	for name, left := range map[string]bool{"in the socket": false, "in the inbox": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, j, in := newKernel(first), &recorder{}, newInbox(t)
				f := startWith(t, k, j, in)
				f.send(unnumbered(34, "a"))
				f.want(t, "a")
				f.expect(t, canaryText)
				f.stop()
				if left {
					batch, err := genl.NewBatch(in.memory, genl.Genltest)
					if err != nil {
						t.Fatal(err)
					}
					batch.Put(unnumbered(34, canaryText))
				}
				f = startWith(t, k, j, in)
				if !left {
					f.send(unnumbered(34, canaryText))
				}
				f.send(unnumbered(34, canaryText))
				f.want(t, "a", "canary: "+canaryText, canaryText)
				f.stop()
				f = startWith(t, k, j, in) // it is not expected again
				f.send(unnumbered(34, canaryText))
				f.want(t, "a", "canary: "+canaryText, canaryText, canaryText)
				if f.Received() != 4 {
					t.Errorf("received %d", f.Received())
				}
				f.stop()
			})
		})
	}
}

func TestNoCanaryIsExpectedThatCannotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newKernel(genl.FamilyIDs{}))
		synctest.Wait()
		if err := f.ExpectCanary(canaryText); err == nil || !strings.Contains(err.Error(), "genltest is not registered") {
			t.Errorf("without the module: %v", err)
		}
		f.stop()
	})
}
