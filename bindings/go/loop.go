package unum

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// Backend is what a loop waits by.
type Backend int32

const (
	// Automatic: UNUM_REACTOR=uring|epoll, else io_uring where the kernel allows it.
	Automatic Backend = C.UNUM_BACKEND_AUTOMATIC
	// Uring is io_uring, or an error.
	Uring Backend = C.UNUM_BACKEND_URING
	// Epoll is epoll.
	Epoll Backend = C.UNUM_BACKEND_EPOLL
)

// LoopOptions say how a loop is made. Zero is the default.
type LoopOptions struct {
	Backend Backend
	// HelperThreadsMax bounds the threads for calls that would block. 0: 4.
	HelperThreadsMax uint32
}

// Loop runs everything that is made with it, on a thread of its own. Its methods, and those of all
// that it makes, may be called from any goroutine.
type Loop struct {
	core *core
}

// core is what the loop's goroutine holds. It does not hold the Loop, whose finalizer ends it.
type core struct {
	mu       sync.Mutex
	queue    []func() // what the thread is asked to do
	isAsleep bool     // the thread waits, and must be woken
	isClosed bool     // nothing is taken any more
	ended    chan struct{}
	raw      *C.unum_loop

	// Of the thread alone.
	isEnding bool
	arena    arena
	running  map[*op]struct{}
	calls    map[*C.unum_call]context.CancelFunc
	handles  map[cgo.Handle]struct{}
	lines    lines
	root     context.Context // of invokers: done when the loop is closed
	end      context.CancelFunc
}

// NewLoop makes a loop. nil options are the default ones.
func NewLoop(options *LoopOptions) (*Loop, error) {
	if options == nil {
		options = &LoopOptions{}
	}
	made := &core{
		ended:   make(chan struct{}),
		running: map[*op]struct{}{},
		calls:   map[*C.unum_call]context.CancelFunc{},
		handles: map[cgo.Handle]struct{}{},
	}
	made.root, made.end = context.WithCancel(context.Background())
	started := make(chan error)
	go made.run(*options, started)
	if err := <-started; err != nil {
		return nil, err
	}
	loop := &Loop{core: made}
	runtime.SetFinalizer(loop, func(loop *Loop) { loop.core.postClose() })
	return loop, nil
}

// Close cancels what runs on the loop, waits until it has ended, and frees everything of it. Calls
// that run end with Cancelled, and so do all later ones.
func (l *Loop) Close() error {
	l.core.postClose()
	<-l.core.ended
	return nil
}

// Backend returns "io_uring (...)" or "epoll: why".
func (l *Loop) Backend() (string, error) {
	var backend string
	err := l.call(func(*arena) error {
		backend = C.GoString(C.unum_loop_backend(l.core.raw))
		return nil
	})
	return backend, err
}

// EntryPayload returns the payload that begins a session: input is any JSON, or a payload already.
func (l *Loop) EntryPayload(input []byte, session string) ([]byte, error) {
	var payload []byte
	err := l.call(func(a *arena) error {
		made := (*C.unum_text)(a.alloc(unsafe.Sizeof(C.unum_text{})))
		err := check(C.unum_entry_payload(l.core.raw, a.bytes(input), a.text(session), made))
		if err == nil {
			payload = bytesOf(*made)
		}
		return err
	})
	return payload, err
}

// call runs what ends at once on the loop's thread.
func (l *Loop) call(do func(a *arena) error) error {
	ended := make(chan error, 1)
	own := l.core
	is := own.post(func() {
		defer own.arena.reset()
		ended <- do(&own.arena)
	})
	if !is {
		return closedError()
	}
	select {
	case err := <-ended:
		runtime.KeepAlive(l)
		return err
	case <-own.ended:
		select {
		case err := <-ended:
			return err
		default:
			return closedError()
		}
	}
}

// free runs a finalizer's work.
func (l *Loop) free(do func()) { l.core.post(do) }

// --- The thread -------------------------------------------------------------------------------

// post asks the thread to do something; false: the loop is closed. It never blocks for long.
func (c *core) post(do func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return false
	}
	c.queue = append(c.queue, do)
	if c.isAsleep {
		c.isAsleep = false
		// Under the lock: the loop is not freed meanwhile.
		C.unum_loop_wake(c.raw)
	}
	return true
}

func (c *core) postClose() {
	c.post(func() { c.isEnding = true })
}

// take returns what is asked for, and whether the thread may wait: then it will be woken.
func (c *core) take(spare []func()) ([]func(), bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.isAsleep = !c.isEnding
		return spare[:0], c.isAsleep
	}
	taken := c.queue
	c.queue = spare[:0]
	return taken, false
}

func (c *core) run(options LoopOptions, started chan<- error) {
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	defer close(c.ended)
	given := (*C.unum_loop_options)(c.arena.alloc(unsafe.Sizeof(C.unum_loop_options{})))
	*given = C.unum_loop_options{
		struct_bytes:       C.size_t(unsafe.Sizeof(*given)),
		backend:            C.int32_t(options.Backend),
		helper_threads_max: C.uint32_t(options.HelperThreadsMax),
	}
	made := (**C.unum_loop)(c.arena.alloc(unsafe.Sizeof(c.raw)))
	if err := check(C.unum_loop_new(given, made)); err != nil {
		c.arena.free()
		c.isClosed = true
		c.end()
		started <- err
		return
	}
	c.raw = *made
	c.arena.reset()
	started <- nil
	var tasks []func()
	for !c.isEnding {
		var mayWait bool
		tasks, mayWait = c.take(tasks)
		for i, task := range tasks {
			tasks[i] = nil
			task()
		}
		timeout := C.int64_t(0)
		if mayWait {
			timeout = -1
		}
		if C.unum_loop_run(c.raw, timeout) > C.UNUM_OK {
			break
		}
		if mayWait {
			c.mu.Lock()
			c.isAsleep = false
			c.mu.Unlock()
		}
	}
	c.close()
}

// close frees the loop. What was asked for and not begun is told by `ended`.
func (c *core) close() {
	c.mu.Lock()
	c.isClosed, c.isAsleep, c.isEnding, c.queue = true, false, true, nil
	c.mu.Unlock()
	c.end()
	C.unum_loop_free(c.raw)
	for ending := range c.running {
		ending.err = closedError()
		close(ending.done)
	}
	for _, cancel := range c.calls {
		cancel()
	}
	for handle := range c.handles {
		handle.Delete()
	}
	c.running, c.calls, c.handles = nil, nil, nil
	c.arena.free()
}

// newHandle makes a number for a callback's `user`; it lives until dropHandle, or as long as the loop.
func (c *core) newHandle(value any) cgo.Handle {
	handle := cgo.NewHandle(value)
	c.handles[handle] = struct{}{}
	return handle
}

func (c *core) dropHandle(handle cgo.Handle) {
	if handle != 0 {
		delete(c.handles, handle)
		handle.Delete()
	}
}

// --- Lines for people -------------------------------------------------------------------------

// lines calls the program's functions for lines, in order, in a goroutine: they may call the loop.
type lines struct {
	mu        sync.Mutex
	queue     []func()
	isRunning bool
}

func (l *lines) add(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, do)
	if !l.isRunning {
		l.isRunning = true
		go l.run()
	}
}

func (l *lines) run() {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.isRunning = false
			l.mu.Unlock()
			return
		}
		do := l.queue[0]
		l.queue = l.queue[1:]
		l.mu.Unlock()
		do()
	}
}
