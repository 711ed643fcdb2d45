package unum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const (
	mapConfig    = `{"Name": "Map", "Start": true, "Next": {"Name": "Branch", "InputType": "Map"}}`
	branchConfig = `{"Name": "Branch", "Next": {"Name": "Sum", "InputType":
		{"Fan-in": {"Values": ["Branch-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}}`
	sumConfig = `{"Name": "Sum"}`
	oneConfig = `{"Name": "F", "Start": true}`
)

func accept(context.Context, *Invocation) error { return nil }

func parse(t *testing.T, loop *Loop, configuration string) *Function {
	t.Helper()
	function, err := loop.ParseFunction(configuration, "a.json")
	must(t, err)
	return function
}

func entry(t *testing.T, loop *Loop, input, session string) []byte {
	t.Helper()
	payload, err := loop.EntryPayload([]byte(input), session)
	must(t, err)
	return payload
}

func TestAMapAndItsFanInRunInGoroutines(t *testing.T) {
	onEachStore(t, func(t *testing.T, loop *Loop, store *Store) {
		functions := map[string]*Function{}
		for _, configuration := range []string{mapConfig, branchConfig, sumConfig} {
			function := parse(t, loop, configuration)
			functions[function.Name()] = function
		}
		session := newSession(t, store)
		handler := func(_ context.Context, call *Call) ([]byte, error) {
			if call.Session != session {
				return nil, errors.New(call.Session)
			}
			if call.Function == "Map" {
				return []byte("[1,2,3,4,5,6,7,8,9,10]"), nil
			}
			if call.Function == "Sum" {
				return sum(background, call)
			}
			return call.Input, nil
		}
		var deliveries sync.WaitGroup
		results, failures := make(chan string, 100), make(chan error, 100)
		var step func(name string, payload []byte)
		runtime, err := store.NewRuntime(func(_ context.Context, invocation *Invocation) error {
			named, instance, err := functions[invocation.Function].IdentifyPayload(invocation.Payload)
			if err != nil || named != session || instance != invocation.Instance {
				return fmt.Errorf("%s %s: %w", named, instance, err)
			}
			deliveries.Add(1)
			go step(invocation.Function, invocation.Payload)
			return nil
		}, nil)
		must(t, err)
		step = func(name string, payload []byte) {
			defer deliveries.Done()
			report, err := runtime.Step(background, functions[name], payload, 1, handler)
			if err != nil {
				failures <- err
			} else if report.Result != nil {
				results <- string(report.Result)
			}
		}
		deliveries.Add(1)
		step("Map", entry(t, loop, "{}", session))
		deliveries.Wait()
		close(failures)
		must(t, <-failures)
		if len(results) != 1 || <-results != "55" {
			t.Error("the sum is wrong")
		}
	})
}

type customError struct{}

func (*customError) Error() string { return "custom" }

func TestErrorsAndPanicsOfHandlersAreTheStepsFailure(t *testing.T) {
	loop := newLoop(t)
	store := memory(t, loop)
	own, err := store.NewRuntime(accept, nil)
	must(t, err)
	function := parse(t, loop, oneConfig)
	for expected, handler := range map[string]Handler{
		"ValueError: no such value": func(context.Context, *Call) ([]byte, error) {
			return nil, fmt.Errorf("wrapped: %w", &Failure{Name: "ValueError", Cause: "no such value"})
		},
		"customError: custom": func(context.Context, *Call) ([]byte, error) { return nil, &customError{} },
		"Error: plain":        func(context.Context, *Call) ([]byte, error) { return nil, errors.New("plain") },
		"Panic: oh":           func(context.Context, *Call) ([]byte, error) { panic("oh") },
		"Runtime.MarshalErr":  func(context.Context, *Call) ([]byte, error) { return []byte("{not json"), nil },
	} {
		report, err := own.Step(background, function, entry(t, loop, "1", expected), 1, handler)
		must(t, err)
		got := report.Error + ": " + report.Cause
		if report.Status != StepFailed || !strings.HasPrefix(got, expected) {
			t.Errorf("%s: %s", expected, got)
		}
	}
}

func TestALostCallIsDeliveredAgainAndGivenUp(t *testing.T) {
	loop := newLoop(t)
	store := memory(t, loop)
	own, err := store.NewRuntime(accept, nil)
	must(t, err)
	function, payload := parse(t, loop, oneConfig), entry(t, loop, "1", "s")
	for _, handler := range []Handler{
		func(context.Context, *Call) ([]byte, error) { return nil, &Lost{Message: "its process died"} },
		func(context.Context, *Call) ([]byte, error) { runtime.Goexit(); return nil, nil },
	} {
		_, err := own.Step(background, function, payload, 1, handler)
		var lost *Error
		if !errors.As(err, &lost) || lost.Kind != Disconnected || lost.Delivery != DeliveryBounded {
			t.Errorf("%+v", err)
		}
	}
	report, err := own.GiveUp(background, function, payload, 3, Failure{Name: "Crashed", Cause: "three times"})
	if err != nil || report.Status != StepFailed || report.Error != "Crashed" {
		t.Error(report, err)
	}
}

func TestAnInvocationThatIsRefusedLeavesTheDeliveryToBeMadeAgain(t *testing.T) {
	loop := newLoop(t)
	store := memory(t, loop)
	function := parse(t, loop, `{"Name": "F", "Start": true, "Next": {"Name": "B", "InputType": "Scalar"}}`)
	echo := func(_ context.Context, call *Call) ([]byte, error) { return call.Input, nil }
	for kind, invoker := range map[Kind]Invoker{
		Disconnected: func(context.Context, *Invocation) error { return errors.New("the queue is gone") },
		Throttled:    func(context.Context, *Invocation) error { return &Error{Kind: Throttled, Message: "slowly"} },
		Bug:          func(context.Context, *Invocation) error { panic("oh") },
	} {
		own, err := store.NewRuntime(invoker, &RuntimeOptions{InvocationsInFlight: 2})
		must(t, err)
		_, err = own.Step(background, function, entry(t, loop, "7", kind.String()), 1, echo)
		if !errors.Is(err, kind) {
			t.Errorf("%v: %v", kind, err)
		}
	}
	if _, err := store.NewRuntime(nil, nil); !errors.Is(err, Invalid) {
		t.Error(err)
	}
}

func TestAHandlersContextIsDoneWhenNobodyWaits(t *testing.T) {
	loop := newLoop(t)
	store := memory(t, loop)
	own, err := store.NewRuntime(accept, nil)
	must(t, err)
	function := parse(t, loop, `{"Name": "F", "Start": true, "TimeoutSeconds": 1}`)
	began, ended := make(chan struct{}), make(chan struct{})
	handler := func(ctx context.Context, call *Call) ([]byte, error) {
		if call.Timeout.Seconds() != 1 {
			t.Error(call.Timeout)
		}
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return []byte("1"), nil
	}
	step := func(ctx context.Context) chan error {
		failed := make(chan error)
		go func() {
			_, err := own.Step(ctx, function, entry(t, loop, "7", "s"), 1, handler)
			failed <- err
		}()
		<-began
		return failed
	}
	late := step(background)
	<-ended
	if err := <-late; !errors.Is(err, Timeout) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(background)
	cancelled := step(ctx)
	cancel()
	<-ended
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	closed := step(background)
	go func() { _ = loop.Close() }()
	<-ended
	if err := <-closed; !errors.Is(err, Cancelled) {
		t.Error(err)
	}
}

func TestWhatIsNoPayloadOrFunctionIsRefused(t *testing.T) {
	loop, other := newLoop(t), newLoop(t)
	store := memory(t, loop)
	own, err := store.NewRuntime(accept, nil)
	must(t, err)
	echo := func(_ context.Context, call *Call) ([]byte, error) { return call.Input, nil }
	_, err = own.Step(background, parse(t, loop, oneConfig), []byte(`{"Data": 1`), 1, echo)
	var refused *Error
	if !errors.As(err, &refused) || refused.Kind != Invalid || refused.Delivery != DeliveryFinal {
		t.Errorf("%+v", err)
	}
	if _, err := own.Step(background, parse(t, other, oneConfig), []byte("{}"), 1, echo); !errors.Is(err, Bug) {
		t.Error(err)
	}
	if _, err := own.Step(background, parse(t, loop, oneConfig), []byte("{}"), 1, nil); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	_, err = loop.ParseFunction(`{"Nme": "A"}`, "a.json")
	if !errors.Is(err, Invalid) || !strings.Contains(err.Error(), "a.json") {
		t.Error(err)
	}
	if _, err := loop.EntryPayload([]byte("{"), "s"); !errors.Is(err, Invalid) {
		t.Error(err)
	}
}

func TestWhatIsNotUsedAnyMoreIsFreed(t *testing.T) {
	loop := newLoop(t)
	for i := 0; i < 100; i++ {
		store := memory(t, loop)
		own, err := store.NewRuntime(accept, nil)
		must(t, err)
		echo := func(_ context.Context, call *Call) ([]byte, error) { return call.Input, nil }
		_, err = own.Step(background, parse(t, loop, oneConfig), entry(t, loop, "1", fmt.Sprint(i)), 1, echo)
		must(t, err)
		if i%10 == 0 {
			runtime.GC()
		}
	}
	must(t, loop.call(func(*arena) error {
		if len(loop.core.calls) > 0 || len(loop.core.running) > 100 {
			return fmt.Errorf("%d calls, %d ops", len(loop.core.calls), len(loop.core.running))
		}
		return nil
	}))
}

// --- Applications -----------------------------------------------------------------------------

func write(t *testing.T, directory, name, text string) {
	t.Helper()
	path := filepath.Join(directory, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func TestAnApplicationIsCheckedLinkedAndRun(t *testing.T) {
	loop, directory := newLoop(t), t.TempDir()
	write(t, directory, "unum-template.yaml", "Globals: {ApplicationName: failing}\nFunctions:\n"+
		"  F: {Properties: {CodeUri: f/, Runtime: python3.11, Start: true}}\n")
	write(t, directory, "f/unum_config.json", `{"Name": "F"}`)
	write(t, directory, "f/app.py", "def lambda_handler(event, context):\n    print('a line')\n"+
		"    if event == 1:\n        raise ValueError('no')\n    return event\n")
	application, err := loop.LoadApplication(directory)
	must(t, err)
	if application.Name() != "failing" || application.Entry() != "F" {
		t.Error(application.Name(), application.Entry())
	}
	functions, err := application.Functions()
	if err != nil || len(functions) != 1 || functions[0].Name() != "F" {
		t.Error(functions, err)
	}
	var lines []string
	options := &RunOptions{Input: []byte("1"), StoreOptions: &StoreOptions{NotDurable: true}}
	options.Printed = func(instance, line string) {
		_, _ = loop.Backend() // it may call the loop
		lines = append(lines, instance+": "+line)
	}
	failed, err := application.Run(background, options)
	must(t, err)
	if failed.Status != RunFailed || len(failed.Failures) != 1 || failed.Failures[0].Error != "ValueError" {
		t.Errorf("%+v", failed)
	}
	options.Input = []byte("[2]")
	succeeded, err := application.Run(background, options)
	must(t, err)
	if succeeded.Status != RunSucceeded || string(succeeded.Result) != "[2]" {
		t.Errorf("%+v", succeeded)
	}
	if got := strings.Join(lines, ", "); got != "F: a line, F: a line" {
		t.Error(got)
	}
	options.Printed = func(string, string) { panic("oh") }
	if _, err := application.Run(background, options); !errors.Is(err, Bug) {
		t.Error(err)
	}
}

const sumsTemplate = `
Globals: {ApplicationName: sums}
Functions:
  Map: {Properties: {CodeUri: map/, Runtime: python3.11, Start: true}}
  Branch: {Properties: {CodeUri: branch/, Runtime: python3.11}}
  Sum: {Properties: {CodeUri: sum/, Runtime: python3.11}}
`

func sum(_ context.Context, call *Call) ([]byte, error) {
	var numbers []int
	if err := json.Unmarshal(call.Input, &numbers); err != nil {
		return nil, err
	}
	sum := 0
	for _, number := range numbers {
		sum += number
	}
	return json.Marshal(sum)
}

func TestAnApplicationInMemoryRunsByHandlersOfTheProgram(t *testing.T) {
	loop := newLoop(t)
	store := memory(t, loop)
	configurations := map[string]string{"Map": mapConfig, "Branch": branchConfig, "Sum": sumConfig}
	application, err := loop.ParseApplication(sumsTemplate, configurations, "")
	must(t, err)
	functions, err := application.Functions()
	must(t, err)
	for _, function := range functions {
		if again := parse(t, loop, function.Configuration()); again.Configuration() != function.Configuration() {
			t.Error(function.Configuration(), again.Configuration())
		}
	}
	options := &RunOptions{Input: []byte("[1,2,3,4,5,6,7,8,9,10]"), Opened: store, Code: map[string]Handler{
		"Map": func(_ context.Context, call *Call) ([]byte, error) { return call.Input, nil },
		"Branch": func(ctx context.Context, call *Call) ([]byte, error) {
			// Something to wait for: the answer comes later, and in a goroutine of its own.
			if _, err := loop.CreateStore(ctx, "memory", "branches"); err != nil {
				return nil, err
			}
			var number int
			if err := json.Unmarshal(call.Input, &number); err != nil {
				return nil, err
			}
			return json.Marshal(2 * number)
		},
		"Sum": sum,
	}}
	result, err := application.Run(background, options)
	must(t, err)
	if result.Status != RunSucceeded || string(result.Result) != "110" || result.UserCodeRuns != 12 {
		t.Errorf("%+v", result)
	}
	if sessions, err := store.ListSessions(background); err != nil || sessions[0] != result.Session {
		t.Error(sessions, err)
	}
	options.Input = []byte(`[1, "two"]`)
	failed, err := application.Run(background, options)
	must(t, err)
	if failed.Status != RunFailed || failed.Failures[0].Error != "UnmarshalTypeError" {
		t.Errorf("%+v", failed)
	}
	must(t, loop.call(func(*arena) error {
		if len(loop.core.calls) > 0 || len(loop.core.handles) > 0 {
			return fmt.Errorf("%d calls, %d handles", len(loop.core.calls), len(loop.core.handles))
		}
		return nil
	}))
	options.Opened = memory(t, newLoop(t))
	if _, err := application.Run(background, options); !errors.Is(err, Bug) {
		t.Error(err)
	}
	options.Code["Sum"] = nil
	if _, err := application.Run(background, options); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	delete(configurations, "Sum")
	refused, err := loop.ParseApplication(sumsTemplate, configurations, "")
	if !errors.Is(err, Invalid) || !strings.Contains(refused.Findings(), `"severity":"error"`) {
		t.Error(refused, err)
	}
}

func TestAnApplicationThatIsRefusedSaysWhy(t *testing.T) {
	loop, directory := newLoop(t), t.TempDir()
	write(t, directory, "unum-template.yaml",
		"Globals: {ApplicationName: broken}\nFunctions:\n  F: {Properties: {CodeUri: no/}}\n")
	application, err := loop.LoadApplication(directory)
	if !errors.Is(err, Invalid) || application == nil {
		t.Fatal(err)
	}
	if !strings.Contains(application.Findings(), `"severity":"error"`) {
		t.Error(application.Findings())
	}
	if _, err := application.Run(background, nil); !errors.Is(err, Invalid) {
		t.Error(err)
	}
}

func TestTheLogGoesWhereItIsTold(t *testing.T) {
	var mutex sync.Mutex
	var lines []string
	must(t, SetLog(func(event LogEvent) {
		mutex.Lock()
		defer mutex.Unlock()
		lines = append(lines, event.Level+" "+event.Area+" "+event.Line)
	}))
	if err := SetLogLevels("loud"); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	must(t, SetLogLevels("info"))
	must(t, newLoop(t).Close())
	must(t, SetLogLevels("off"))
	must(t, SetLog(nil))
	if !strings.Contains(strings.Join(lines, "\n"), "info reactor begins") {
		t.Error(lines)
	}
}
