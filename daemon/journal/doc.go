// SPDX-License-Identifier: Apache-2.0

// Package journal stores received messages on disk, in order, until every reader has read
// them. It handles bytes and numbers, and does not know what they mean.
//
// # The parts
//
// A Journal consists of parts. Each part owns its lock, and has pointers only to parts
// whose locks may be taken while its own lock is held. So this is the order of the locks:
//
//	maintainer   the background loop; has no lock
//	location     keeps the files where their names are; the lock of the syncer guards it
//	syncer       makes segments and cursors durable
//	writer       appends batches
//	repairs      what Open has found necessary, and is not done yet
//	retention    removes segments; has no lock: the writer or the syncer holds its own
//	state.File   reserves numbers, and remembers how the last process has stopped
//	cursor.Set   how far each reader has read; then the locks of a cursor.Cursor
//	readerSet    the open readers
//	index        the segments and the end of the log
//	damage.Log   what was found broken
//	condition    whether the journal can be used
//
// No other lock is taken while one of the last four is held. No lock of the last five is
// held during a call of the file system, except that a segment is duplicated or closed.
// The syncer and the state release their locks for an fsync, as far as the writer needs them.
//
// Package vfs is the file system, slot stores a small value, segment contains the format of
// segments, layout reads a directory, and verify checks one without opening the journal.
//
// # The directory
//
// A journal owns one directory (0700), and its files have mode 0600:
//
//	lock           flock(2) of the process that has it open; contains its process id
//	meta           one line: format version, journal id, mark, checksum
//	state          slot file: the reserve of numbers, and whether the stop was clean
//	cursor-NAME    slot file: how far the reader of that name has read
//	N.log          segment whose first message has the number N, as 20 digits
//	quarantine/    copies of damaged pieces, SEGMENT-OFFSET.bad, at most 16 MiB
//	*.tmp          left by a crash; removed at the next start
//
// The journal id is unique among all journals. The mark is a random number that begins
// every frame: a reader uses it to find the next frame after damage. It is secret, so no
// message can be made that looks like a frame.
//
// # The format, version 1
//
// All numbers are little-endian. Each checksum is CRC32C of everything that follows it in
// its unit. meta is the line
//
//	genltestd-journal format=1 id=%016x mark=%016x crc=%08x
//
// with the checksum of the part before " crc=". Every later version has the beginning and
// the end of the line in common with this one.
//
// A segment is a header and frames, without gaps between them. Its header:
//
//	 0  8  "genltlog"
//	 8  4  checksum
//	12  4  format version
//	16  8  journal id
//	24  8  mark
//	32  8  number of the segment's first message
//	40  8  index: number of messages that were journaled before it
//	48  8  generation of the last batch before the segment
//	56  8  highest number that was known to be durable when the segment was created
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
// Numbers have gaps after an unclean stop. Indexes do not have gaps, so the difference of two
// indexes is the number of messages that are, or were, between them. That is how losses are
// counted exactly, for any kind of damage.
//
// Package slot describes the format of a slot file. The value of a cursor is: journal id,
// number of the next message, its index. The value of the state is: journal id, mark,
// highest reserved number; number of the next message, its index, last generation, highest
// durable number, all four as of a clean stop; a byte, which is 1 after a clean stop, 2 if an
// fsync has failed, else 0; seven bytes that are 0; the first numbers of the oldest and of
// the newest segment that must exist, 0 if not known. Each number is u64.
//
// # Numbers
//
// A record may be delivered before it is durable, since delivery does not wait for the
// disk. A power cut may then lose the record, but a receiver has seen its number. Therefore
// numbers are reserved durably, a million at a time, before they are used. After an unclean
// stop the rest of the reserve is skipped. If the reserve itself is lost, 2^40 numbers are
// skipped.
//
// # Generations
//
// A batch that Append is adding when the process is killed is in the journal, or is not. The
// user must find out which, and append the batch again if it is not. Therefore the journal
// numbers the batches, which may be of several users. The number, the generation, is stored in
// memory of the user, which survives the process, before the batch is written. Both happen
// under the writer's lock. So no later batch can be in the journal if this one is not, and the
// batch is in the journal exactly if its generation is not greater than Recovered after the
// next Open. If Append fails, the memory of the user is set to 0, and the next batch gets the
// generation. A user must also set it to 0 before the first Append of a process if the batch is
// not in the journal; see package inbox.
//
// # A failed fsync
//
// After a failed fsync the kernel marks the pages clean that it could not write, so a second
// fsync proves nothing. With FsyncAlways the batch is removed again, Append returns the
// error, and the next batch begins a new segment. With another policy the records that are
// not durable are copied, from memory, to a new file that replaces the old one. If that
// fails too, Stats.Fault is the error, each Append returns it, and the copy is tried again.
// The state notes the failure, in memory that survives the process: if the process ends
// before the copy succeeds, the next process writes the records over themselves before it
// calls them durable. A kill between the fsync and the note is not noticed.
//
// # What cannot be read at the start
//
// After an unclean stop the end of the journal is found by reading the last segment. If that
// cannot be read, numbers and segments begin after everything that may have been used. The number
// of records and the last generation get the least possible value, so nothing counts as
// missing that is found later. Until a reader has passed the place, Backlog may be too
// small, and so may the number of records that a limit removes there.
//
// # Options that change
//
// Configure changes limits and the fsync policy of a journal in use. The new policy also
// covers what the old policy has not made durable: a segment that FsyncNever has closed is
// opened again to be synced, and the first Append with FsyncAlways waits until everything
// before it is durable.
//
// # Invariants
//
// Each names the tests that fail without it.
//
//  1. Records are numbered in the order of Append. A batch is appended as a whole or not at
//     all. (TestModel, TestFailedAppendLeavesNoRecords)
//  2. A reader sees each record once, in order, unaltered, or learns exactly how many records
//     were removed before it could read them. (TestModel, TestReaderCountsRecordsRemovedByRetention)
//     Records that Trim skips are counted once, by Trim. (TestModel,
//     TestTrimCountsEachRecordOnce, TestTrimConcurrentWithWriter)
//  3. Append does not wait for a reader. Except with FsyncAlways it does not wait for an
//     fsync, unless the fsync took so long that half a reserve was used up. It allocates
//     nothing in the steady state. (TestAppendDoesNotAllocate,
//     TestReadersFollowWriter, TestAppendDoesNotWaitForMaintainer)
//  4. Appended records survive the end of the process at any instruction.
//     (TestCrashAtEachStep)
//  5. Records up to Stats.Synced survive a power cut at any step, for any part of the other
//     writes that the disk has done, in any order. This includes a process that was killed
//     before, a power cut during the start, and changes of the policy.
//     (TestCrashAtEachStep, TestEnablingFsyncSyncsOldRecords)
//  6. No number is used twice, even if all traces of its record are lost.
//     (TestCrashAtEachStep, TestDamagedJournalDeliversIntactRecords)
//  7. No damage makes Open fail. No damage makes a reader return a record that was never
//     appended, or that was altered. (TestDamagedJournalDeliversIntactRecords, TestRandomDamage)
//  8. Damage loses only the frames that it touches. Records that are missing between others
//     are counted exactly. (TestDamagedJournalDeliversIntactRecords)
//  9. A commit survives the end of the process. A lost commit repeats records, and does not
//     lose any. (TestCommitSurvivesKill,
//     TestCommitDuringFsyncSurvivesKill, TestCrashAtEachStep) The same holds for a
//     damaged file of a cursor. (TestDamagedCursorRepeatsRecords)
//  10. A segment is removed only if all cursors have durably passed it, or if a limit
//     requires it. The newest is never removed, since it contains the last generation. If a
//     full disk prevents writing the cursors, they need not have passed it durably.
//     (TestRetentionWaitsForAllCursors, TestLastGenerationSurvivesRetention)
//     No limit removes records that a pinned reader has not durably passed: Append fails
//     until it has. (TestModel, TestPinnedReaderLosesNoRecords,
//     TestLimitsRemoveNoRecordsBeforeFirstUse, TestSetPinAtRunTime,
//     TestSmallerLimitDoesNotRemovePinnedRecords)
//  11. With MaxBytes the segments have at most that size, or there is only the newest segment
//     and one frame. A reader continues to deliver the segment that it has open, so each
//     reader may retain the blocks of one removed segment. (TestMaxBytesIsNotExceeded) A smaller
//     limit is in effect when Configure returns. (TestConfigureAppliesSmallerLimits,
//     TestMaxBytesBelowSegmentSize)
//  12. After a failed write or fsync the journal continues when the disk does, and
//     Stats.Synced never includes a record that is not durable. (TestFullDisk,
//     TestFailedFsync, TestFailedFsyncAlways, TestFailedFsyncBeforeKill,
//     TestFailedFsyncOfCursor, TestRepeatedFsyncFailuresLeaveNoSegments,
//     TestCrashAtEachStep)
//  13. The cost of Open, and memory, do not grow with the content of the journal, except for
//     the header of each segment. The cost of Trim does not grow with the number of records that it drops.
//     (TestOpenDoesNotReadBacklog, TestStartCostIsIndependentOfBacklog,
//     TestTrimDoesNotReadFullyDroppedSegments)
//  14. Open does not change a directory that is in use, is newer, or does not contain a
//     journal. (TestOpenRejectsUnusableDirectory)
//  15. Data that could not be read never counts as missing. No cursor moves past it, and
//     only a limit removes it. (TestFaultDuringStartLosesNoRecords,
//     TestTemporarilyUnreadableFileLosesNoRecords, TestKillDuringFaultLosesNoRecords,
//     TestFaultAtRunTimeLosesNoRecords, TestSegmentOwnedByAnotherUser) A few pages that fail
//     repeatedly, in a segment that is readable elsewhere, are damage. A disk that is away is
//     not damage. (TestUnreadablePageIsDamage, TestDiskOutageIsNotDamage)
//  16. Open changes no file. The first Append, Read, Commit or Trim makes the repairs. Without
//     one Close changes nothing either. (TestFailedStartChangesNoFiles)
//     A failed write does not prevent reading. (TestStartOnFullDiskDeliversRecords)
//  17. Most files contain the identity of their journal. A file of another journal, or in the
//     wrong place, does not affect the other files, and is not changed.
//     (TestForeignFilesDoNotAffectRecords) A file that is not regular causes an error
//     with its path. (TestIrregularFileIsReportedWithPath)
//  18. Open and package verify find a segment that is missing although the journal has not
//     removed it. (TestVerifyFindsMissingSegment, TestVerifyAcceptsSegmentsRemovedByRetention)
//  19. Directory and files that are removed, replaced or covered while the journal is open are
//     noticed within a second or two. Append fails until they are recreated, with everything
//     that is open or has another name. The rest is counted.
//     (TestRemovedFilesAreRecreated, TestDirectoryThatCannotBeRecreated,
//     TestDirectoryThatReturnsIsReused, TestMaintainerDetectsRemovedFiles,
//     TestRecordsLostAtEndAreCountedImmediately)
//  20. After a kill at any instruction, the generation of a batch and Recovered show whether the
//     journal contains the batch, for any number of users and any failures before.
//     (TestConcurrentAppendsGetTheirGenerations, TestFailedAppendOfOneUserThenSuccessOfAnother,
//     TestKillAtEachStepJournalsEachBatchOnce in package inbox)
package journal
