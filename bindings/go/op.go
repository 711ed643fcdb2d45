package unum

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime/cgo"
	"unsafe"
)

// op is a call that takes time: begun and ended on the loop's thread, waited for by a goroutine.
type op struct {
	core   *core
	take   func(raw *C.unum_op) // what it gave, if it ended well; on the thread
	after  func()               // in any case; on the thread
	done   chan struct{}
	err    error // set before done is closed
	raw    *C.unum_op
	handle cgo.Handle
}

// begin is given the arguments' memory, and how the op begins.
type begin func(a *arena, start *C.unum_start) *C.unum_op

// do begins an op and waits for its end, which the end of ctx brings about early.
func (c *core) do(ctx context.Context, start begin, take func(*C.unum_op), after func()) error {
	if err := ctx.Err(); err != nil {
		return ended(ctx, newError(Cancelled, "Unum.Cancelled", "it was cancelled before it began"))
	}
	own := &op{core: c, take: take, after: after, done: make(chan struct{})}
	if !c.post(func() { own.begin(start) }) {
		return closedError()
	}
	select {
	case <-own.done:
		return ended(ctx, own.err)
	case <-c.ended:
		return own.closed()
	case <-ctx.Done():
	}
	c.post(own.cancel)
	select {
	case <-own.done:
		return ended(ctx, own.err)
	case <-c.ended:
		return own.closed()
	}
}

// ended says in an error of a call that its context ended it.
func ended(ctx context.Context, err error) error {
	own, is := err.(*Error)
	if is && own.Kind == Cancelled && ctx.Err() != nil {
		own.cause = ctx.Err()
	}
	return err
}

// closed is the outcome of an op whose loop has ended, maybe after it.
func (o *op) closed() error {
	select {
	case <-o.done:
		return o.err
	default:
		return closedError()
	}
}

func (o *op) begin(begin begin) {
	a := &o.core.arena
	defer a.reset()
	start := (*C.unum_start)(a.alloc(unsafe.Sizeof(C.unum_start{})))
	*start = C.unum_start{struct_bytes: C.size_t(unsafe.Sizeof(*start))}
	o.handle = cgo.NewHandle(o)
	C.unum_go_set_done(start, C.uintptr_t(o.handle))
	o.raw = begin(a, start)
	if o.raw == nil {
		o.end(errorOf(C.unum_last_error()))
		return
	}
	o.core.running[o] = struct{}{}
	o.core.handles[o.handle] = struct{}{}
}

func (o *op) cancel() {
	if o.raw != nil {
		C.unum_op_cancel(o.raw)
	}
}

func (o *op) end(err error) {
	if o.raw != nil {
		C.unum_op_free(o.raw)
		o.raw = nil
	}
	delete(o.core.running, o)
	o.core.dropHandle(o.handle)
	if o.after != nil {
		o.after()
	}
	o.err = err
	close(o.done)
}

//export unumGoDone
func unumGoDone(raw *C.unum_op, user C.uintptr_t) {
	own := cgo.Handle(user).Value().(*op)
	if C.unum_op_status(raw) != C.UNUM_OK {
		own.end(errorOf(C.unum_op_error(raw)))
		return
	}
	if own.take != nil {
		own.take(raw)
	}
	own.end(nil)
}
