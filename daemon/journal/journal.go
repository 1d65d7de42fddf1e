// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A Record is one message in the journal. Its Data must not be modified.
type Record struct {
	Seq  uint64
	Time time.Time // of receipt
	Data []byte

	index uint64 // how many were journaled before it
}

// Fsync says when what was appended is made durable against a power cut. Against
// the end of the process it is durable at once.
type Fsync int

const (
	// FsyncInterval makes it durable within Options.SyncInterval, all batches of
	// that time together.
	FsyncInterval Fsync = iota
	// FsyncAlways makes it durable before Append returns.
	FsyncAlways
	// FsyncNever leaves it to the kernel.
	FsyncNever
)

// Options are a journal's limits and surroundings. The zero value is usable. Configure
// changes them later.
type Options struct {
	SegmentBytes int64         // of one file; 0 is 16 MiB; never more than a quarter of MaxBytes
	MaxBytes     int64         // of all segments; 0 is no limit
	MaxAge       time.Duration // of a segment's newest record; 0 is no limit
	Fsync        Fsync
	SyncInterval time.Duration // 0 is 100 ms
	// CommitInterval is how often the cursors are made durable, each by an fsync of
	// its own; 0 is 1 s.
	CommitInterval time.Duration
	Now            func() time.Time // nil is time.Now
	// Steady translates times to a clock that is not stepped, by which MaxAge and Trim
	// measure ages. nil trusts the clock.
	Steady func(time.Time) time.Time
	FS     vfs.FS // nil is the machine's
	// Log gets a line for whatever is found broken, cut, removed, set anew or not
	// readable; nil is none.
	Log *slog.Logger
}

const (
	defaultSegmentBytes = 16 << 20
	defaultSyncInterval = 100 * time.Millisecond

	defaultCommitInterval = time.Second
)

func (o *Options) setDefaults() {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.MaxBytes > 0 {
		o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/4)
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = defaultSyncInterval
	}
	if o.CommitInterval <= 0 {
		o.CommitInterval = defaultCommitInterval
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Steady == nil {
		o.Steady = func(t time.Time) time.Time { return t }
	}
	if o.FS == nil {
		o.FS = vfs.Disk{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// What callers may want to tell apart; the errors that wrap them name the
// directory and the remedy.
var (
	ErrSealed   = errors.New("journal is sealed")
	ErrClosed   = errors.New("journal is closed")
	ErrLocked   = errors.New("another process has the journal open")
	ErrNewer    = errors.New("the journal was written by a newer version")
	ErrForeign  = errors.New("the directory is not a journal's")
	ErrTooLarge = errors.New("batch is too large for the journal")
	ErrFull     = errors.New("journal is full")
)

// A Journal is safe for concurrent use.
//
// Of its locks, syncMu is taken before appendMu, appendMu before repairMu, repairMu
// before stateSync, stateSync before stateMu, and stateMu before mu.
type Journal struct {
	dir  string
	opts Options // changed with syncMu, appendMu and mu held: one of them is enough to read
	fs   vfs.FS
	log  *slog.Logger
	who  segment.Identity
	lock vfs.File // with syncMu held
	home home     // likewise; dir is changed with mu held too

	syncMu        sync.Mutex // held while making durable and while removing
	cursorsSynced time.Time

	appendMu sync.Mutex  // held while writing
	active   *logSegment // nil until the first Append after Open or a failure
	encoded  []byte      // the frame at hand

	repairMu sync.Mutex // held while repairing
	repairs  []*repair  // that Open has found necessary, and are not done

	stateSync  sync.Mutex // held while making the state durable, and before stateMu
	stateMu    sync.Mutex // held while writing the state, but not for the wait of an fsync
	state      state
	stateSlots *slot.File

	mu         sync.Mutex
	segments   []*logSegment
	orphans    []*logSegment // removed, but open for writing: the keeper may be using them
	position                 // of the next message
	reserved   uint64        // durably: no higher number is handed out
	last       uint64        // number of the newest message that exists
	generation uint64
	bytes      int64
	synced     uint64
	dirDirty   bool  // names were made or removed since the last SyncDir
	fault      error // why data could not be made durable; nil when it could
	unfit      error // why the journal could not be made fit for writing
	away       error // why directory or files are not where they should be
	owed       bool  // before the next Append with FsyncAlways: not all that was appended is durable
	used       bool  // there was an Append or a Read: the limits may remove, and files may be written
	begun      bool  // the journal was made fit for writing
	sealed     bool
	closed     bool
	cursors    map[string]*cursor
	readers    []*Reader
	damage     Damage
	seen       map[place]struct{} // damage that was counted
	quarantine int64              // bytes in it
	unread     map[string]error   // segments, by name, that could not be read when that was last tried

	kick    chan struct{} // there is something for the keeper to do
	changed chan struct{} // the options are others
	quit    chan struct{}
	done    chan struct{}
}

// ID names this journal among all others; together with a record's number it
// names the record.
func (j *Journal) ID() string { return formatID(j.who.ID) }

// LastGeneration returns the generation of the newest batch in the journal, 0
// when there is none.
func (j *Journal) LastGeneration() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.generation
}

// First returns the lowest number that a record in the journal can have.
func (j *Journal) First() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return j.next
	}
	return j.segments[0].first
}

// Last returns the highest number that was given to a record, or was given up
// because it may have been. It is no count: see Count.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1
}

// Newest returns the number of the newest record that exists. Synced reaches it
// when there is nothing left to make durable.
func (j *Journal) Newest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Count returns how many records were ever journaled.
func (j *Journal) Count() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.index
}

// Synced returns the highest number of which it is known that it, and all
// before it, survive a power cut.
func (j *Journal) Synced() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.synced
}

// Bytes returns the size of all segments.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Fault returns why the disk does not take what was appended, nil when it does.
func (j *Journal) Fault() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return cmp.Or(j.away, j.fault, j.unfit)
}

func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }

func (j *Journal) segmentPath(s *logSegment) string { return j.path(segment.Name(s.first)) }

// wake tells the readers that there is something new. The caller holds mu.
func (j *Journal) wake() {
	for _, r := range j.readers {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// work tells the keeper that there is something to do.
func (j *Journal) work() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

func notEOF(err error) error {
	if isEOF(err) {
		return nil
	}
	return err
}
