// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/reaper"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

// strayWait bounds how long a process that has left the program's process group may hold
// its standard error.
const strayWait = 100 * time.Millisecond

// A launcher starts the program.
type launcher struct {
	config *Config
	mask   *redact.Mask   // of the output of programs; nil is empty
	reaper *reaper.Reaper // of orphaned processes; nil without one
	env    []string
}

func newLauncher(c *Config, env sink.Env) launcher {
	return launcher{config: c, mask: env.Mask, reaper: env.Reaper, env: baseEnvironment(c.Environment)}
}

// A process is a program that was started. It ends with end or reap.
type process struct {
	cmd    *exec.Cmd
	stderr tail
	mask   *redact.Mask // masks its output
	reaper *reaper.Reaper
	exited chan struct{} // closed when the program has exited; it is a zombie until reap
}

// launch starts the program with an event on standard input.
func (l *launcher) launch(j job) (*process, error) {
	p, err := l.prepare(j.env)
	if err != nil {
		return nil, err
	}
	p.cmd.Stdin = bytes.NewReader(j.body)
	return p, l.start(p)
}

func (l *launcher) prepare(env []string) (*process, error) {
	p := &process{mask: l.mask, exited: make(chan struct{})}
	p.cmd = &exec.Cmd{
		Path: l.config.Argv[0], Args: l.config.Argv, Dir: "/",
		Env:         append(l.env[:len(l.env):len(l.env)], env...),
		Stderr:      &p.stderr,
		WaitDelay:   strayWait,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	return p, l.becomeUser(p.cmd.SysProcAttr)
}

// start begins the process. If a program cannot be started, delivery retries: the operator
// may install it.
func (l *launcher) start(p *process) error {
	p.reaper = l.reaper
	err := p.reaper.Start(func() (int, error) {
		if err := withoutCapabilities(p.cmd.Start); err != nil {
			return 0, err
		}
		return p.cmd.Process.Pid, nil
	})
	if err != nil {
		if l.config.User != "" && errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%w: to run it as the user %s the daemon needs CAP_SETUID and CAP_SETGID", err, l.config.User)
		}
		return err
	}
	go p.watch()
	offerToKernel(p.cmd.Process.Pid)
	if err := l.config.Limits.apply(p.cmd.Process.Pid); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: for another user's program the daemon needs CAP_SYS_RESOURCE", err)
		}
		return errors.Join(err, p.end(0))
	}
	return nil
}

// offerToKernel makes a program the first that the kernel kills when memory is exhausted,
// before the daemon, whose score it would inherit. For another user's program this
// requires CAP_DAC_OVERRIDE; its memory limit does not.
func offerToKernel(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0) // see above; it may have exited
}

// withoutCapabilities runs start on a thread without ambient capabilities: the unit grants
// one to the daemon, which a child would inherit. The thread keeps its effective
// capabilities, and no other code of the daemon runs programs.
func withoutCapabilities(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("drop ambient capabilities: %w", err)
	}
	return start()
}

// watch does not reap the zombie, so that the ids of the process and its group are not
// reused until the group has been killed.
func (p *process) watch() {
	defer close(p.exited)
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// wait reports whether the process has exited before the context ended.
func (p *process) wait(ctx context.Context) bool {
	select {
	case <-p.exited:
	case <-ctx.Done():
	}
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// end terminates the process and its whole group. It returns an error if the daemon may
// not: the process then continues, and is freed when it has exited.
func (p *process) end(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = p.signal(unix.SIGTERM) // it may have exited; SIGKILL reports that
	if !p.wait(ctx) {
		if err := p.signal(unix.SIGKILL); errors.Is(err, unix.EPERM) {
			go func() {
				<-p.exited
				p.reap()
			}()
			return fmt.Errorf("end the program: %w: the daemon needs CAP_KILL", err)
		}
		<-p.exited
	}
	p.reap()
	return nil
}

// reap kills the remaining group of a process that has exited, and frees it.
func (p *process) reap() {
	_ = p.signal(unix.SIGKILL) // usually the group is empty
	_ = p.cmd.Wait()           // ProcessState has the result
	p.reaper.Done(p.cmd.Process.Pid)
}

// signal signals the whole group.
func (p *process) signal(s unix.Signal) error { return unix.Kill(-p.cmd.Process.Pid, s) }

// describe adds the name of the program and its last line to an error.
func (p *process) describe(err error) error {
	if last := visible(p.stderr.last(), p.mask); last != "" {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, last)
	}
	return fmt.Errorf("%s: %w", p.cmd.Path, err)
}
