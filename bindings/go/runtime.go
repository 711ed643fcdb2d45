package unum

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"time"
	"unsafe"
)

// Function is a function's configuration.
type Function struct {
	loop *Loop
	raw  *C.unum_function
	name string
	text string
}

// ParseFunction reads a function's configuration, the text of unum_config.json; source names it in
// errors. Invalid, naming the field, if it is wrong.
func (l *Loop) ParseFunction(configuration, source string) (*Function, error) {
	var function *Function
	err := l.call(func(a *arena) error {
		made := (**C.unum_function)(a.alloc(unsafe.Sizeof(uintptr(0))))
		err := check(C.unum_function_parse(l.core.raw, a.text(configuration), a.text(source), made))
		if err == nil {
			function = l.functionOf(*made)
		}
		return err
	})
	return function, err
}

// functionOf owns a handle. On the thread.
func (l *Loop) functionOf(raw *C.unum_function) *Function {
	function := &Function{loop: l, raw: raw, name: stringOf(C.unum_function_name(raw))}
	function.text = stringOf(C.unum_function_configuration(raw))
	runtime.SetFinalizer(function, func(function *Function) {
		function.loop.free(func() { C.unum_function_free(raw) })
	})
	return function
}

// Name returns its name.
func (f *Function) Name() string { return f.name }

// Configuration returns its configuration as JSON text, linked if it is: what a deployment of this
// one function needs. ParseFunction makes an equal function of it.
func (f *Function) Configuration() string { return f.text }

// IdentifyPayload returns the session and the instance that a payload is for.
func (f *Function) IdentifyPayload(payload []byte) (session, instance string, err error) {
	err = f.loop.call(func(a *arena) error {
		names := (*C.unum_context)(a.alloc(unsafe.Sizeof(C.unum_context{})))
		err := check(C.unum_identify_payload(f.raw, a.bytes(payload), names))
		if err == nil {
			session, instance = stringOf(names.session), stringOf(names.instance)
		}
		return err
	})
	runtime.KeepAlive(f)
	return session, instance, err
}

// --- User code --------------------------------------------------------------------------------

// Call is a call of user code.
type Call struct {
	Function    string
	Instance    string
	Session     string
	Input       []byte        // JSON
	Traceparent string        // W3C trace context; may be empty
	Attempt     int           // from 1; above 1 if the code may have run for this step before
	Timeout     time.Duration // TimeoutSeconds of the function: counted by the library; 0: none
}

// Handler is a function's user code. It runs in a goroutine of its own; its context is done when
// nobody waits for the answer any more: the step was cancelled, or the time of the call is up.
//
// The result is JSON; what is none becomes the failure "Runtime.MarshalError". A [*Failure] is the
// failure that it says, a [*Lost] has the call delivered again, any other error is a failure under
// the name of its type, and a panic is the failure "Panic".
type Handler func(ctx context.Context, call *Call) ([]byte, error)

// step is what the callbacks of a step use, or those of a function of a run.
type step struct {
	core     *core
	ctx      context.Context
	handler  Handler
	platform *platform // of a step; a run has one of its own
}

// code makes the user code of C, whose callbacks need the handle.
func (a *arena) code(handle cgo.Handle) *C.unum_code {
	code := (*C.unum_code)(a.alloc(unsafe.Sizeof(C.unum_code{})))
	*code = C.unum_code{struct_bytes: C.size_t(unsafe.Sizeof(*code))}
	C.unum_go_set_code(code, C.uintptr_t(handle))
	return code
}

//export unumGoCall
func unumGoCall(raw *C.unum_call, user C.uintptr_t) {
	own := cgo.Handle(user).Value().(*step)
	details := C.unum_call_info(raw)
	if own.core.isEnding || details == nil {
		return
	}
	call := &Call{
		Function:    stringOf(details.function),
		Instance:    stringOf(details.instance),
		Session:     stringOf(details.session),
		Input:       bytesOf(details.input),
		Traceparent: stringOf(details.traceparent),
		Attempt:     int(details.attempt),
		Timeout:     time.Duration(details.timeout_ms) * time.Millisecond,
	}
	ctx, cancel := context.WithCancel(own.ctx)
	own.core.calls[raw] = cancel
	go own.run(ctx, raw, call)
}

//export unumGoCancel
func unumGoCancel(raw *C.unum_call, user C.uintptr_t) {
	own := cgo.Handle(user).Value().(*step)
	if cancel := own.core.calls[raw]; cancel != nil {
		cancel()
	}
}

// run calls the handler, and has its answer given on the thread.
func (s *step) run(ctx context.Context, raw *C.unum_call, call *Call) {
	var value []byte
	err := error(&Lost{Message: "the handler's goroutine ended without an answer"})
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &Failure{Name: "Panic", Cause: fmt.Sprint(panicked)}
		}
		s.core.post(func() { s.core.answer(raw, value, err) })
	}()
	value, err = s.handler(ctx, call)
}

func (c *core) answer(raw *C.unum_call, value []byte, err error) {
	defer c.arena.reset()
	if cancel := c.calls[raw]; cancel != nil {
		cancel()
		delete(c.calls, raw)
	}
	var status C.unum_status
	var lost *Lost
	if err == nil {
		status = C.unum_call_succeed(raw, c.arena.bytes(value))
	} else if errors.As(err, &lost) {
		status = C.unum_call_lost(raw, c.arena.text(lost.Message))
	} else {
		failure := failureOf(err)
		status = C.unum_call_fail(raw, c.arena.text(failure.Name), c.arena.text(failure.Cause))
	}
	if status != C.UNUM_OK && status != C.UNUM_CANCELLED {
		// It could not be taken (it is too large, say): the call still waits.
		refused := errorOf(C.unum_last_error())
		C.unum_call_fail(raw, c.arena.text(refused.Code), c.arena.text(refused.Message))
	}
}

// --- The platform -----------------------------------------------------------------------------

// Invocation is what a runtime asks its platform to deliver.
type Invocation struct {
	Function  string
	Instance  string
	Origin    string    // duplicates of one invocation have the same
	Payload   []byte    // what Runtime.Step takes
	Attempt   int       // of the function's Retry, from 1; it stands in the payload, too
	NotBefore time.Time // the delivery must not begin before; zero: at once
}

// Invoker is a platform: it takes each invocation, to deliver it at least once. It runs in a
// goroutine of its own; its context is done when the loop is closed. nil: the platform has it. An
// error: it has not, and the step ends in an error of that kind (of an [*Error]; Disconnected for
// every other one: it will be delivered again). A panic is an error of the kind Bug.
type Invoker func(ctx context.Context, invocation *Invocation) error

// platform is what a runtime and its steps use.
type platform struct {
	core    *core
	invoker Invoker
	handle  cgo.Handle
	users   int // the runtime and its steps; of the thread
}

func (p *platform) release() {
	p.users--
	if p.users == 0 {
		p.core.dropHandle(p.handle)
	}
}

//export unumGoInvoke
func unumGoInvoke(raw *C.unum_invocation, user C.uintptr_t) {
	own := cgo.Handle(user).Value().(*platform)
	details := C.unum_invocation_info(raw)
	if own.core.isEnding || details == nil {
		return
	}
	invocation := &Invocation{
		Function: stringOf(details.function),
		Instance: stringOf(details.instance),
		Origin:   stringOf(details.origin),
		Payload:  bytesOf(details.payload),
		Attempt:  int(details.attempt),
	}
	if details.not_before != 0 {
		invocation.NotBefore = time.UnixMilli(int64(details.not_before))
	}
	go own.run(raw, invocation)
}

func (p *platform) run(raw *C.unum_invocation, invocation *Invocation) {
	err := error(newError(Disconnected, "Unum.NoAnswer", "the invoker's goroutine ended without an answer"))
	defer func() {
		if panicked := recover(); panicked != nil {
			err = newError(Bug, "Panic", fmt.Sprint(panicked))
		}
		p.core.post(func() { p.core.answerInvocation(raw, err) })
	}()
	err = p.invoker(p.core.root, invocation)
}

func (c *core) answerInvocation(raw *C.unum_invocation, err error) {
	defer c.arena.reset()
	if err == nil {
		C.unum_invocation_accepted(raw)
		return
	}
	kind, message := Disconnected, err.Error()
	var own *Error
	if errors.As(err, &own) {
		kind, message = own.Kind, own.Message
	}
	if kind < NotFound || kind > Bug {
		kind = Bug
	}
	C.unum_invocation_refused(raw, C.unum_status(kind), c.arena.text(message))
}

// --- Runtimes ---------------------------------------------------------------------------------

// RuntimeOptions say how a runtime behaves. Zero is the default.
type RuntimeOptions struct {
	PayloadBytesMax     uint64        // larger results go by reference; 0: no limit
	DelayMax            time.Duration // the longest NotBefore that the platform keeps; 0: none
	InvocationsInFlight uint32        // of one step, at once; 0: 64
	CollectsGarbage     bool          // sessions that begin here are collected
	Application         *Application  // sessions of another application are refused; nil: none are
	// The platform delivers each delivery that began again until it has ended itself, also where another one of
	// the same invocation was acknowledged. Otherwise a fan-in stores an item more.
	KeepsEveryDelivery bool
}

// Runtime processes deliveries.
type Runtime struct {
	store    *Store
	raw      *C.unum_runtime
	platform *platform
}

// NewRuntime makes a runtime on the store. nil options are the default ones.
func (s *Store) NewRuntime(invoker Invoker, options *RuntimeOptions) (*Runtime, error) {
	if invoker == nil {
		return nil, newError(Invalid, "Unum.InvalidArgument", "invoker: nil; it is the platform")
	}
	if options == nil {
		options = &RuntimeOptions{}
	}
	c := s.loop.core
	made := &Runtime{store: s, platform: &platform{core: c, invoker: invoker, users: 1}}
	err := s.loop.call(func(a *arena) error {
		given := (*C.unum_runtime_options)(a.alloc(unsafe.Sizeof(C.unum_runtime_options{})))
		*given = C.unum_runtime_options{
			struct_bytes:          C.size_t(unsafe.Sizeof(*given)),
			payload_bytes_max:     C.uint64_t(options.PayloadBytesMax),
			delay_max_ms:          milliseconds(options.DelayMax),
			invocations_in_flight: C.uint32_t(options.InvocationsInFlight),
			collects_garbage:      number(options.CollectsGarbage),
			keeps_every_delivery:  number(options.KeepsEveryDelivery),
		}
		if options.Application != nil {
			given.application = options.Application.raw
		}
		made.platform.handle = c.newHandle(made.platform)
		C.unum_go_set_invoke(given, C.uintptr_t(made.platform.handle))
		place := (**C.unum_runtime)(a.alloc(unsafe.Sizeof(uintptr(0))))
		err := check(C.unum_runtime_new(s.raw, given, place))
		made.raw = *place
		if err != nil {
			made.platform.release()
		}
		return err
	})
	runtime.KeepAlive(options)
	if err != nil {
		return nil, err
	}
	raw, used := made.raw, made.platform
	runtime.SetFinalizer(made, func(made *Runtime) {
		made.store.loop.free(func() {
			C.unum_runtime_free(raw)
			used.release()
		})
	})
	return made, nil
}

// StepStatus is what became of a step's function.
type StepStatus int32

const (
	// StepSucceeded: it has a result, and its edges were followed.
	StepSucceeded StepStatus = C.UNUM_STEP_SUCCEEDED
	// StepCaught: it failed, and its edge for errors was followed.
	StepCaught StepStatus = C.UNUM_STEP_CAUGHT
	// StepFailed: it failed; a report was written to the session.
	StepFailed StepStatus = C.UNUM_STEP_FAILED
	// StepWillRetry: it failed, and the platform accepted another attempt.
	StepWillRetry StepStatus = C.UNUM_STEP_WILL_RETRY
)

// Report is how a step ended that ended well: acknowledge its delivery.
type Report struct {
	Status        StepStatus
	Attempt       int // of the function's Retry, from 1
	Session       string
	Instance      string
	Error         string // of a step that failed: its name, and message and traceback
	Cause         string
	Result        []byte // if it invoked nothing, and no fan-in is known to need it; else nil
	ResultBytes   uint64
	Invocations   uint64    // instances that this step invoked
	NotBefore     time.Time // if it will be retried: when
	Adopted       bool      // the outcome is another delivery's
	UserCodeRan   bool
	Disagreements string // one a line: contributors of a fan-in with different lists; "": none
}

func reportOf(op *C.unum_op) *Report {
	given := C.unum_op_report(op)
	report := &Report{
		Status:        StepStatus(given.status),
		Attempt:       int(given.attempt),
		Session:       stringOf(given.session),
		Instance:      stringOf(given.instance),
		Error:         stringOf(given.error),
		Cause:         stringOf(given.cause),
		Result:        bytesOf(given.result),
		ResultBytes:   uint64(given.result_bytes),
		Invocations:   uint64(given.invocations),
		Adopted:       given.adopted != 0,
		UserCodeRan:   given.user_code_ran != 0,
		Disagreements: stringOf(given.disagreements),
	}
	if given.not_before != 0 {
		report.NotBefore = time.UnixMilli(int64(given.not_before))
	}
	return report
}

// Step processes delivery number attempt (from 1) of a payload to a function. Without an error,
// acknowledge the delivery; else the error's Delivery says what becomes of it.
func (r *Runtime) Step(
	ctx context.Context, function *Function, payload []byte, attempt int, handler Handler,
) (*Report, error) {
	if handler == nil {
		return nil, newError(Invalid, "Unum.InvalidArgument", "handler: nil; it is what runs")
	}
	own := &step{core: r.store.loop.core, ctx: ctx, handler: handler, platform: r.platform}
	return r.do(ctx, own, func(a *arena, user cgo.Handle, start *C.unum_start) *C.unum_op {
		return C.unum_runtime_step(
			r.raw, function.raw, a.bytes(payload), C.int32_t(attempt), a.code(user), start)
	}, function)
}

// GiveUp ends a step whose deliveries all ended in DeliveryBounded errors: the failure goes to the
// edge for errors, or is reported in the session.
func (r *Runtime) GiveUp(
	ctx context.Context, function *Function, payload []byte, attempt int, failure Failure,
) (*Report, error) {
	own := &step{core: r.store.loop.core, ctx: ctx, platform: r.platform}
	return r.do(ctx, own, func(a *arena, _ cgo.Handle, start *C.unum_start) *C.unum_op {
		return C.unum_runtime_give_up(r.raw, function.raw, a.bytes(payload), C.int32_t(attempt),
			a.text(failure.Name), a.text(failure.Cause), start)
	}, function)
}

func (r *Runtime) do(
	ctx context.Context, own *step,
	begin func(a *arena, user cgo.Handle, start *C.unum_start) *C.unum_op, function *Function,
) (*Report, error) {
	c := own.core
	var report *Report
	var handle cgo.Handle
	err := c.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		handle = c.newHandle(own)
		r.platform.users++
		return begin(a, handle, start)
	}, func(op *C.unum_op) { report = reportOf(op) }, func() {
		c.dropHandle(handle)
		r.platform.release()
	})
	runtime.KeepAlive(r)
	runtime.KeepAlive(function)
	return report, err
}
