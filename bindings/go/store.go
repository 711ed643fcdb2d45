package unum

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"time"
	"unsafe"
)

// StoreOptions say how a store is opened. Zero is the default.
type StoreOptions struct {
	NotDurable     bool          // fs does not wait for the disk
	EventualReads  bool          // reads may miss what was just written, and are repeated then
	InFlightMax    uint32        // values in flight while many are read; 0: 64
	RequestTimeout time.Duration // a request that takes longer is lost, and repeated; 0: 30 s
	Patience       time.Duration // how long a call goes on while the store is unreachable; 0: 60 s
	// Warn is called with a line for each setting of the server that puts values at risk, Waiting
	// every few seconds while a call waits for the store; in order, in a goroutine.
	Warn    func(line string)
	Waiting func(line string)
}

// storeLines is what the callbacks of a store use.
type storeLines struct {
	core          *core
	warn, waiting func(line string)
}

// milliseconds rounds up: a limit that is set stays one.
func milliseconds(limit time.Duration) C.int64_t {
	return C.int64_t((limit + time.Millisecond - 1) / time.Millisecond)
}

// storeOptions makes the options of C, and the handle that their callbacks need, or 0.
func (a *arena) storeOptions(c *core, given *StoreOptions) (*C.unum_store_options, cgo.Handle) {
	if given == nil {
		return nil, 0
	}
	options := (*C.unum_store_options)(a.alloc(unsafe.Sizeof(C.unum_store_options{})))
	*options = C.unum_store_options{
		struct_bytes:       C.size_t(unsafe.Sizeof(*options)),
		not_durable:        number(given.NotDurable),
		eventual_reads:     number(given.EventualReads),
		in_flight_max:      C.uint32_t(given.InFlightMax),
		request_timeout_ms: milliseconds(given.RequestTimeout),
		patience_ms:        milliseconds(given.Patience),
	}
	if given.Warn == nil && given.Waiting == nil {
		return options, 0
	}
	handle := c.newHandle(&storeLines{core: c, warn: given.Warn, waiting: given.Waiting})
	warn, waiting := C.int(number(given.Warn != nil)), C.int(number(given.Waiting != nil))
	C.unum_go_set_lines(options, warn, waiting, C.uintptr_t(handle))
	return options, handle
}

func number(is bool) C.int32_t {
	if is {
		return 1
	}
	return 0
}

//export unumGoLine
func unumGoLine(isWaiting C.int, line C.unum_text, user C.uintptr_t) {
	own := cgo.Handle(user).Value().(*storeLines)
	tell, text := own.warn, stringOf(line)
	if isWaiting != 0 {
		tell = own.waiting
	}
	own.core.lines.add(func() {
		defer func() { _ = recover() }() // a line that cannot be told is no reason to end the program
		tell(text)
	})
}

// Store is an opened store. It is closed by Close, with its loop, or when it is not used any more.
type Store struct {
	loop *Loop
	raw  *C.unum_store
	// The handle of its callbacks; of the loop's thread.
	handle cgo.Handle
	name   string
	kind   string
}

// OpenStore opens a store: "fs" with a directory, "s3" with a bucket, "dynamodb" with a table,
// "redis" with HOST:PORT or a URL, "memory" with any name. NotFound if there is none: nothing is
// created. nil options are the default ones.
func (l *Loop) OpenStore(ctx context.Context, kind, name string, options *StoreOptions) (*Store, error) {
	c, store := l.core, &Store{loop: l}
	err := c.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		var given *C.unum_store_options
		given, store.handle = a.storeOptions(c, options)
		return C.unum_store_open(c.raw, a.text(kind), a.text(name), given, start)
	}, func(op *C.unum_op) {
		store.raw = C.unum_op_store(op)
		store.kind = stringOf(C.unum_store_type(store.raw))
		store.name = stringOf(C.unum_store_name(store.raw))
	}, func() {
		if store.raw == nil {
			c.dropHandle(store.handle)
		}
	})
	runtime.KeepAlive(l)
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(store, func(store *Store) {
		raw, handle := store.raw, store.handle
		go func() { _ = c.closeStore(context.Background(), raw, handle) }()
	})
	return store, nil
}

// CreateStore creates a store unless it exists, and tells whether it did.
func (l *Loop) CreateStore(ctx context.Context, kind, name string) (bool, error) {
	created := false
	err := l.core.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_create(l.core.raw, a.text(kind), a.text(name), start)
	}, func(op *C.unum_op) { created = C.unum_op_number(op) == 1 }, nil)
	runtime.KeepAlive(l)
	return created, err
}

func (c *core) closeStore(ctx context.Context, raw *C.unum_store, handle cgo.Handle) error {
	begun := false
	return c.do(ctx, func(_ *arena, start *C.unum_start) *C.unum_op {
		op := C.unum_store_close(raw, start)
		begun = op != nil
		return op
	}, nil, func() {
		if begun { // a second close has nothing to drop
			c.dropHandle(handle)
		}
	})
}

// Close cancels what the store does and closes its connections.
func (s *Store) Close(ctx context.Context) error {
	runtime.SetFinalizer(s, nil)
	return s.loop.core.closeStore(ctx, s.raw, s.handle)
}

// Type returns "fs", "redis", ...
func (s *Store) Type() string { return s.kind }

// Name returns the store's name without secrets.
func (s *Store) Name() string { return s.name }

func (s *Store) do(ctx context.Context, start begin, take func(*C.unum_op)) error {
	err := s.loop.core.do(ctx, start, take, nil)
	runtime.KeepAlive(s)
	return err
}

func (a *arena) context(session, instance string) C.unum_context {
	return C.unum_context{session: a.text(session), instance: a.text(instance)}
}

// CreateSessionContext returns a new session's id. It does no I/O: a session exists once its first
// value is written.
func (s *Store) CreateSessionContext() (string, error) {
	var session string
	err := s.loop.call(func(a *arena) error {
		place := (*C.char)(a.alloc(C.UNUM_SESSION_BYTES))
		err := check(C.unum_create_session_context(s.raw, place))
		if err == nil {
			session = C.GoStringN(place, C.UNUM_SESSION_BYTES)
		}
		return err
	})
	runtime.KeepAlive(s)
	return session, err
}

// Written is what became of a value that may only be created.
type Written struct {
	New      bool
	Existing []byte // if it is not new: the value that was there, and stays
}

func writtenOf(op *C.unum_op) Written {
	if C.unum_op_number(op) == 1 {
		return Written{New: true}
	}
	return Written{Existing: bytesOf(C.unum_op_value(op, 0))}
}

// WriteReturnValue creates the result of an instance, unless there is one. It is durable when the
// call returns. A value has 1 GiB at most (512 MiB on Redis).
func (s *Store) WriteReturnValue(ctx context.Context, session, instance string, value []byte) (Written, error) {
	var written Written
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_write_return_value(s.raw, a.context(session, instance), a.bytes(value), start)
	}, func(op *C.unum_op) { written = writtenOf(op) })
	return written, err
}

// ReadInput returns the values, in the order of the names. NotFound, naming them all, if some are
// missing.
func (s *Store) ReadInput(ctx context.Context, session string, instances []string) ([][]byte, error) {
	var values [][]byte
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_read_input(s.raw, a.text(session), a.texts(instances), C.size_t(len(instances)), start)
	}, func(op *C.unum_op) { values = valuesOf(op) })
	return values, err
}

func valuesOf(op *C.unum_op) [][]byte {
	values := make([][]byte, int(C.unum_op_count(op)))
	for place := range values {
		values[place] = bytesOf(C.unum_op_value(op, C.size_t(place)))
	}
	return values
}

// CheckValueExist tells whether the value exists.
func (s *Store) CheckValueExist(ctx context.Context, session, instance string) (bool, error) {
	exists := false
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_check_value_exist(s.raw, a.text(session), a.text(instance), start)
	}, func(op *C.unum_op) { exists = C.unum_op_number(op) == 1 })
	return exists, err
}

// CheckValuesExist tells whether all values exist.
func (s *Store) CheckValuesExist(ctx context.Context, session string, instances []string) (bool, error) {
	exist := false
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		names, count := a.texts(instances), C.size_t(len(instances))
		return C.unum_check_values_exist(s.raw, a.text(session), names, count, start)
	}, func(op *C.unum_op) { exist = C.unum_op_number(op) == 1 })
	return exist, err
}

// streamWindow is how many values a stream holds.
const streamWindow = 64

type window struct {
	values [][]byte
}

//export unumGoValue
func unumGoValue(_ C.size_t, value C.unum_text, user C.uintptr_t) C.unum_status {
	own := cgo.Handle(user).Value().(*window)
	own.values = append(own.values, bytesOf(value))
	return C.UNUM_OK
}

// ReadInputStream is ReadInput for inputs that are large together: it calls consume with each value
// in order, in the caller's goroutine, and holds 64 of them at most. An error of consume's ends it,
// and is returned. If values are missing, the error names those of one window of 64.
func (s *Store) ReadInputStream(
	ctx context.Context, session string, instances []string, consume func(place int, value []byte) error,
) error {
	for first := 0; first == 0 || first < len(instances); first += streamWindow {
		last := first + streamWindow
		if last > len(instances) {
			last = len(instances)
		}
		values, err := s.readWindow(ctx, session, instances[first:last])
		if err != nil {
			return err
		}
		for i, value := range values {
			if err := consume(first+i, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) readWindow(ctx context.Context, session string, instances []string) ([][]byte, error) {
	c, read := s.loop.core, &window{}
	var handle cgo.Handle
	err := c.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		handle = c.newHandle(read)
		names, count := a.texts(instances), C.size_t(len(instances))
		return C.unum_go_read_input_stream(s.raw, a.text(session), names, count, C.uintptr_t(handle), start)
	}, nil, func() { c.dropHandle(handle) })
	runtime.KeepAlive(s)
	return read.values, err
}
