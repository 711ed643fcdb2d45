package unum

// #include "bridge.h"
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// Application is an application that was checked.
type Application struct {
	loop     *Loop
	raw      *C.unum_application
	findings string
	name     string
	entry    string
}

// LoadApplication reads and checks an application's directory, as the command `unum check` does; the
// loop stands still while it reads files. If it is refused, the error is Invalid, and the
// application is returned all the same, to say why: it cannot be run.
func (l *Loop) LoadApplication(directory string) (*Application, error) {
	return l.newApplication(func(a *arena, made **C.unum_application) C.unum_status {
		return C.unum_application_load(l.core.raw, a.text(directory), made)
	})
}

// ParseApplication does the same for an application that is text in memory: what is in its
// unum-template.yaml, and each function's configuration by its name. It reads no file. directory is
// where a relative CodeUri or data store begins in a run; "": nowhere.
func (l *Loop) ParseApplication(
	template string, configurations map[string]string, directory string,
) (*Application, error) {
	return l.newApplication(func(a *arena, made **C.unum_application) C.unum_status {
		bytes := unsafe.Sizeof(C.unum_configuration{})
		first := (*C.unum_configuration)(a.alloc(uintptr(len(configurations)) * bytes))
		given := unsafe.Slice(first, len(configurations))[:0]
		for name, text := range configurations {
			given = append(given, C.unum_configuration{
				struct_bytes: C.size_t(bytes), function: a.text(name), text: a.text(text)})
		}
		var base C.unum_text
		if directory != "" {
			base = a.text(directory)
		}
		return C.unum_application_parse(
			l.core.raw, a.text(template), first, C.size_t(len(given)), base, made)
	})
}

func (l *Loop) newApplication(
	load func(a *arena, made **C.unum_application) C.unum_status,
) (*Application, error) {
	var application *Application
	err := l.call(func(a *arena) error {
		made := (**C.unum_application)(a.alloc(unsafe.Sizeof(uintptr(0))))
		*made = nil
		err := check(load(a, made))
		if *made != nil {
			application = &Application{loop: l, raw: *made}
			application.findings = stringOf(C.unum_application_findings(*made))
			application.name = stringOf(C.unum_application_name(*made))
			application.entry = stringOf(C.unum_application_entry(*made))
		}
		return err
	})
	if application != nil {
		runtime.SetFinalizer(application, func(application *Application) {
			raw := application.raw
			application.loop.free(func() { C.unum_application_free(raw) })
		})
	}
	return application, err
}

// Findings returns a JSON array of {"severity", "rule", "file", "line", "message"}, sorted by file
// and line.
func (a *Application) Findings() string { return a.findings }

// Name returns its name.
func (a *Application) Name() string { return a.name }

// Entry returns the name of the function that sessions begin with.
func (a *Application) Entry() string { return a.entry }

// Functions returns its functions, sorted by name and linked: with what depends on the other
// functions' edges. None if it was refused.
func (a *Application) Functions() ([]*Function, error) {
	var functions []*Function
	err := a.loop.call(func(memory *arena) error {
		place := (**C.unum_function)(memory.alloc(unsafe.Sizeof(uintptr(0))))
		count := int(C.unum_application_function_count(a.raw))
		for i := 0; i < count; i++ {
			if err := check(C.unum_application_function(a.raw, C.size_t(i), place)); err != nil {
				return err
			}
			functions = append(functions, a.loop.functionOf(*place))
		}
		return nil
	})
	runtime.KeepAlive(a)
	return functions, err
}

// RunOptions say how an application is run. Zero is the default.
type RunOptions struct {
	Input         []byte        // any JSON, or a payload; nil: {}
	Session       string        // an existing one is continued; "": a new id, or the payload's
	Store         string        // TYPE:NAME; "": the template's, else .unum/store in the directory
	StoreOptions  *StoreOptions // how that is opened
	Workers       uint32        // calls of user code at once; 0: one per core
	Resume        bool          // go on with Session, with its own input
	AcceptChanges bool          // also if functions have changed since it was begun
	// Printed is called with each line that user code prints; in order, in a goroutine, and not any
	// more once Run has returned.
	Printed func(instance, line string)
	Opened  *Store // instead of Store: one of the same loop, which stays open
	// Code is the program's own for functions, by their names; the others run in worker processes.
	Code map[string]Handler
}

// RunStatus is how a run ended.
type RunStatus int32

const (
	// RunSucceeded: it has a result.
	RunSucceeded RunStatus = C.UNUM_RUN_SUCCEEDED
	// RunFailed: see the failures; it can be resumed once they are mended.
	RunFailed RunStatus = C.UNUM_RUN_FAILED
	// RunInterrupted: its context was cancelled.
	RunInterrupted RunStatus = C.UNUM_RUN_INTERRUPTED
	// RunTimedOut: its time is up.
	RunTimedOut RunStatus = C.UNUM_RUN_TIMED_OUT
)

// RunFailure is what failed in a run.
type RunFailure struct {
	Instance string // "": of the run as a whole
	Error    string
	Cause    string
}

// RunResult is what a run gave. A workflow that fails is a result, too.
type RunResult struct {
	Status       RunStatus
	Session      string
	Result       []byte // JSON, if it succeeded; else nil
	Instances    uint64
	UserCodeRuns uint64
	Failures     []RunFailure // sorted by instance
}

// run is what the callbacks of a run use.
type run struct {
	lines    lines // of its own: what is printed may begin another run
	printed  func(instance, line string)
	panicked any // in printed; of the goroutine of lines
}

//export unumGoPrinted
func unumGoPrinted(instance, line C.unum_text, user C.uintptr_t) {
	own := cgo.Handle(user).Value().(*run)
	from, text := stringOf(instance), stringOf(line)
	own.lines.add(func() {
		defer func() {
			if panicked := recover(); panicked != nil {
				own.panicked = panicked
			}
		}()
		own.printed(from, text)
	})
}

// Run runs the application in one session to its end, as the command `unum run` does; its functions
// run in worker processes, but for those in the options' Code. nil options are the default ones. The process must not ignore SIGCHLD.
func (a *Application) Run(ctx context.Context, options *RunOptions) (*RunResult, error) {
	if options == nil {
		options = &RunOptions{}
	}
	for name, handler := range options.Code {
		if handler == nil {
			return nil, newError(Invalid, "Unum.InvalidArgument", "code of "+name+": nil; it is what runs")
		}
	}
	c, own := a.loop.core, &run{printed: options.Printed}
	var result *RunResult
	var lines, printed cgo.Handle
	var code []cgo.Handle
	err := c.do(ctx, func(memory *arena, start *C.unum_start) *C.unum_op {
		given := (*C.unum_run_options)(memory.alloc(unsafe.Sizeof(C.unum_run_options{})))
		*given = C.unum_run_options{
			struct_bytes:   C.size_t(unsafe.Sizeof(*given)),
			input:          memory.optional(options.Input),
			session:        memory.text(options.Session),
			store:          memory.text(options.Store),
			workers:        C.uint32_t(options.Workers),
			resume:         number(options.Resume),
			accept_changes: number(options.AcceptChanges),
		}
		given.store_options, lines = memory.storeOptions(c, options.StoreOptions)
		if options.Printed != nil {
			printed = c.newHandle(own)
			C.unum_go_set_printed(given, C.uintptr_t(printed))
		}
		if options.Opened != nil {
			given.opened = options.Opened.raw
		}
		given.code_count = C.size_t(len(options.Code))
		given.codes, code = memory.functionCodes(ctx, c, options.Code)
		return C.unum_application_run(a.raw, given, start)
	}, func(op *C.unum_op) { result = runResultOf(op) }, func() {
		c.dropHandle(lines)
		c.dropHandle(printed)
		for _, handle := range code {
			c.dropHandle(handle)
		}
	})
	runtime.KeepAlive(a)
	runtime.KeepAlive(options)
	told := make(chan struct{})
	own.lines.add(func() { close(told) })
	<-told
	if own.panicked != nil {
		return result, newError(Bug, "Panic", fmt.Sprint(own.panicked))
	}
	return result, err
}

// functionCodes makes the codes of C, and the handles that their callbacks need.
func (a *arena) functionCodes(
	ctx context.Context, c *core, handlers map[string]Handler,
) (*C.unum_function_code, []cgo.Handle) {
	bytes := unsafe.Sizeof(C.unum_function_code{})
	first := (*C.unum_function_code)(a.alloc(uintptr(len(handlers)) * bytes))
	codes, handles := unsafe.Slice(first, len(handlers))[:0], make([]cgo.Handle, 0, len(handlers))
	for name, handler := range handlers {
		handle := c.newHandle(&step{core: c, ctx: ctx, handler: handler})
		handles = append(handles, handle)
		codes = append(codes, C.unum_function_code{
			struct_bytes: C.size_t(bytes), function: a.text(name), code: a.code(handle)})
	}
	return first, handles
}

func runResultOf(op *C.unum_op) *RunResult {
	failures := make([]RunFailure, int(C.unum_op_count(op)))
	for place := range failures {
		failure := C.unum_op_failure(op, C.size_t(place))
		failures[place] = RunFailure{
			Instance: stringOf(failure.instance),
			Error:    stringOf(failure.error),
			Cause:    stringOf(failure.cause),
		}
	}
	given := C.unum_op_run_result(op)
	return &RunResult{
		Status:       RunStatus(given.status),
		Session:      stringOf(given.session),
		Result:       bytesOf(given.result),
		Instances:    uint64(given.instances),
		UserCodeRuns: uint64(given.user_code_runs),
		Failures:     failures,
	}
}
