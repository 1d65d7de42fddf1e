// SPDX-License-Identifier: Apache-2.0

// Package journal keeps received messages on disk, in order, until every reader
// has taken them. It knows bytes and numbers, and nothing of what they mean.
//
// # The directory
//
// A journal owns one directory (0700), its files are 0600:
//
//	lock           flock(2) of the process that has it open; holds its process id
//	meta           one line: format version, journal id, mark, checksum
//	state          slot file: the reserve of numbers, and whether the stop was clean
//	cursor-NAME    slot file: how far the reader of that name is
//	N.log          segment whose first message has the number N, as 20 digits
//	quarantine/    copies of damaged pieces, SEGMENT-OFFSET.bad, 16 MiB at the most
//	*.tmp          left by a crash; removed at the next start
//
// The journal id names the journal to the world. The mark is a random number
// that begins every frame: with it a reader finds the next frame behind damage,
// and as it is secret no message can be made that looks like one.
//
// # The format, version 1
//
// All numbers are little-endian. Each checksum is CRC32C of everything that
// follows it in its unit. meta is the line
//
//	genltestd-journal format=1 id=%016x mark=%016x crc=%08x
//
// with the checksum of what stands before " crc=". Every later version keeps the
// beginning and the end of it.
//
// A segment is a header and frames, without anything between them. Its header:
//
//	 0  8  "genltlog"
//	 8  4  checksum
//	12  4  format version
//	16  8  journal id
//	24  8  mark
//	32  8  number of the segment's first message
//	40  8  index: how many messages were journaled before it
//	48  8  generation of the last batch before the segment
//	56  8  highest number that was known to be durable when the segment was begun
//
// A frame is one batch, which is one call of Append and one write(2):
//
//	 0  8  mark
//	 8  4  checksum, of the rest of the header and the payload
//	12  4  length of the payload; the frame has at most 4 MiB
//	16  4  number of messages, at least 1
//	20  4  1, the type
//	24  8  number of the first message; the others follow it without gaps
//	32  8  index of the first message
//	40  8  generation
//	48  8  time of receipt, ns since 1970, signed
//	56     for each message its length u32 and its bytes
//
// Numbers have gaps after a stop that was not clean; indexes have none, so the
// difference of two of them is how many messages lie, or lay, between. That is
// how losses are counted exactly, whatever has gone missing.
//
// A slot file has slots at 0, 4096 and 8192, of which the valid one with the
// highest version holds; the third may be missing. The one that is known to be
// durable is never written, nor the one that an fsync is making so:
//
//	 0   8  "genltslt"
//	 8   4  checksum
//	12   4  0
//	16   8  version
//	24 104  value
//
// The value of a cursor: journal id, number of the next message, its index. The
// value of the state: journal id, mark, highest reserved number; four numbers that
// hold when the byte behind them is 1, as of the clean stop: number of the next
// message, its index, last generation, highest durable number; that byte, which is 2
// when an fsync has failed, else 0, and seven that are 0; and the first numbers of the
// oldest and of the newest segment that must be there, 0 when that is not known. Each
// is u64.
//
// # Numbers
//
// What was appended may have been delivered before it is durable: delivery does
// not wait for the disk. A power cut then takes the record, but not the number
// that somebody has seen. So numbers are reserved durably, a million at a time,
// before they are used, and after any stop but a clean one the rest of the
// reserve is given up. When the reserve itself is lost, 2^40 numbers are.
//
// # What an fsync that fails means
//
// After it the kernel calls the pages clean that it could not write, so a second
// fsync proves nothing. With FsyncAlways the batch is taken back, Append returns
// the error, and the next batch begins a new segment. Otherwise what was not
// durable is copied, from memory, to a new file that takes its place; when that
// fails too, Fault and each Append return the error, and it is tried again. The
// state notes it, in memory that the process leaves behind: should it end before it
// has mended that, the next one writes what may be missing over itself before it
// calls it durable. A kill between the fsync and the note goes unnoticed.
//
// # What cannot be read at the start
//
// After a stop that was not clean the end of the journal is found by reading the last
// segment. When that cannot be read, numbers and segments begin behind all that may have
// been used, and the least that is possible is taken for the count of records and for
// the last generation: nothing counts as missing that turns up later. Until a reader has
// passed the place, what waits for it may be more than Backlog returns, and what a limit
// takes there may be more than is counted.
//
// # Options that change
//
// Configure changes limits and the fsync policy while everything is at work. What one
// policy has left undone, the next one owes: a segment that FsyncNever has closed is
// opened again to be made durable, and the first Append with FsyncAlways waits until
// all before it is.
//
// # Invariants
//
// Each names the tests that fail without it.
//
//  1. Records are numbered in the order of Append; a batch is there as a whole or
//     not at all. (TestModel, TestAppendTakesBackAWriteThatFails)
//  2. A reader sees each record once, in order, unaltered, or learns exactly how
//     many it was too late for. (TestModel, TestReaderLearnsWhatRetentionTook)
//     What Trim passes over is counted once, by Trim. (TestModel,
//     TestTrimCountsEachRecordOnce, TestTrimBesideAWriter)
//  3. Append waits for no reader and, but with FsyncAlways, for no fsync, unless one
//     took so long that half a reserve was used up meanwhile. It allocates nothing
//     in the steady state.
//     (TestAppendAllocatesNothing, TestReadersFollowAWriter,
//     TestAppendDoesNotWaitForTheKeeper)
//  4. What Append has taken survives the end of the process at any instruction.
//     (TestCrashAtEachStep)
//  5. What Synced covers survives a power cut, at any step and whatever part of
//     the rest the disk had written, in any order; also when the process had been
//     killed before, or the machine stops again during the start; whatever the
//     policies were, and are now.
//     (TestCrashAtEachStep, TestWhatWasNeverSyncedBecomesDurable)
//  6. No number is used twice, even when all trace of its record is lost.
//     (TestCrashAtEachStep, TestInjuries)
//  7. No damage makes Open fail, and none lets a reader see a record that was
//     never appended, or that was altered. (TestInjuries, TestRandomDamage)
//  8. Damage takes no frame but those that it touches. What is missing between
//     records that are there is counted exactly. (TestInjuries)
//  9. A commit survives the end of the process; losing one repeats records and
//     drops none. (TestCommitSurvivesTheProcess,
//     TestCommitSurvivesTheProcessDuringAnFsync, TestCrashAtEachStep) So does
//     losing the cursor's file to damage.
//     (TestReaderOfADamagedCursorRepeatsAndLosesNothing)
//  10. A segment is removed only when all cursors have durably passed it, or a
//     limit says so; never the newest, which tells the last generation. Where a full
//     disk keeps the cursors from being written, they need not have passed it durably.
//     (TestRetentionWaitsForAllCursors, TestLastGenerationSurvivesRetention)
//     No limit takes what a pinned reader has not durably passed: Append fails
//     until it has. (TestModel, TestPinnedReaderLosesNothing,
//     TestLimitsRemoveNothingBeforeTheFirstUse, TestPinsChangeWhileRunning,
//     TestAPinHoldsAgainstASmallerLimit)
//  11. With MaxBytes the segments hold at most that, or the newest alone and one
//     frame. A reader that is busy delivers to the end of what it has in hand, so
//     each may keep the blocks of one removed segment. (TestMaxBytesHolds) So from
//     the moment on in which it becomes smaller. (TestSmallerLimitsHoldAtOnce,
//     TestASizeLimitSmallerThanASegment)
//  12. After a failed write or fsync the journal goes on when the disk does, and
//     Synced never covers what is not durable. (TestFullDisk, TestFailedFsync,
//     TestFailedFsyncAlways, TestFailedFsyncBeforeAKill, TestFailedFsyncOfACursor,
//     TestAttemptsWhileFsyncFailsLeaveNothingBehind,
//     TestCrashAtEachStep)
//  13. The cost of Open, and memory, do not grow with what is in the journal, but for
//     the header of each segment, nor that of Trim with what it drops. (TestOpenReadsNoBacklog,
//     TestStartDoesNotGrowWithTheBacklog, TestTrimReadsNoSegmentThatGoesWhole)
//  14. A directory that is in use, newer, or not ours is left as it is.
//     (TestOpenRefuses)
//  15. What could not be read is never taken for what is not there. No cursor moves
//     past it, and only a limit removes it. (TestAFaultDuringTheStartLosesNothing,
//     TestAFileThatCannotBeReadForAWhile, TestAKillDuringAFaultLosesNothing,
//     TestAFaultWhileRunningLosesNothing, TestASegmentOfAnotherUser) A few pages that
//     fail again and again, in a segment that can be read elsewhere, are damage; a disk
//     that is away is not. (TestUnreadablePageIsDamage, TestAnOutageOfTheDiskIsNoDamage)
//  16. Open changes no file. The first Append, Read, Commit or Trim makes the repairs;
//     without one Close changes nothing either. (TestAStartThatIsRefusedChangesNothing)
//     No write that fails keeps the readers from reading.
//     (TestAFullDiskAtTheStartDelivers)
//  17. Whose journal it is, most files say. One that belongs to another journal, or
//     another place, costs nothing of the others, and is left alone.
//     (TestWhatDoesNotBelongThereCostsNothing) What is no regular file is an error with
//     its path. (TestWhatIsNoFileIsAnErrorWithItsPath)
//  18. Verify and Open find a segment that is missing and that the journal has not
//     removed. (TestVerifyFindsAMissingSegment, TestVerifyExplainsWhatRetentionRemoved)
//  19. Directory and files that are removed, replaced or covered while the journal is
//     open are noticed within a second or two. Append fails until they are recreated, with
//     all that is open or has another name; the rest is counted.
//     (TestFilesThatAreTakenAwayWhileTheJournalIsOpen, TestADirectoryThatCannotBeMadeAnew,
//     TestADirectoryThatComesBack, TestTheKeeperNoticesThatFilesAreGone,
//     TestWhatIsLostAtTheEndIsCountedAtOnce)
package journal
