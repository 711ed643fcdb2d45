// A map over 1,000 elements whose fan-in sums, with handlers in Go and a platform of goroutines.
//
//	go run ./examples/fan_in_1000 [TYPE NAME]
//
// Without a store, in memory. It exits with 1 unless the sum is right.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"

	unum "unum.invalid/workflows"
)

var configurations = []string{
	`{"Name": "Numbers", "Start": true, "Next": {"Name": "Square", "InputType": "Map"}}`,
	`{"Name": "Square", "Next": {"Name": "Sum", "InputType":
		{"Fan-in": {"Values": ["Square-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}}`,
	`{"Name": "Sum"}`,
}

// code is the user code of all three functions.
func code(_ context.Context, call *unum.Call) ([]byte, error) {
	switch call.Function {
	case "Numbers":
		var count int
		if err := json.Unmarshal(call.Input, &count); err != nil {
			return nil, err
		}
		numbers := make([]int, count)
		for i := range numbers {
			numbers[i] = i + 1
		}
		return json.Marshal(numbers)
	case "Square":
		var number int
		err := json.Unmarshal(call.Input, &number)
		if err != nil {
			return nil, err
		}
		return json.Marshal(number * number)
	default:
		var squares []int
		if err := json.Unmarshal(call.Input, &squares); err != nil {
			return nil, err
		}
		sum := 0
		for _, square := range squares {
			sum += square
		}
		return json.Marshal(sum)
	}
}

// platform delivers each invocation in a goroutine. A real one would do it again as the error's
// Delivery says.
type platform struct {
	runtime    *unum.Runtime
	functions  map[string]*unum.Function
	deliveries sync.WaitGroup
	mutex      sync.Mutex
	results    []string
	failures   []error
}

func (p *platform) deliver(ctx context.Context, name string, payload []byte) {
	p.deliveries.Add(1)
	go func() {
		defer p.deliveries.Done()
		report, err := p.runtime.Step(ctx, p.functions[name], payload, 1, code)
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if err != nil {
			p.failures = append(p.failures, err)
		} else if report.Result != nil {
			p.results = append(p.results, string(report.Result))
		}
	}()
}

func run(ctx context.Context, kind, name string) error {
	loop, err := unum.NewLoop(nil)
	if err != nil {
		return err
	}
	defer loop.Close()
	if _, err := loop.CreateStore(ctx, kind, name); err != nil {
		return err
	}
	store, err := loop.OpenStore(ctx, kind, name, nil)
	if err != nil {
		return err
	}
	own := &platform{functions: map[string]*unum.Function{}}
	for _, configuration := range configurations {
		function, err := loop.ParseFunction(configuration, "fan_in_1000")
		if err != nil {
			return err
		}
		own.functions[function.Name()] = function
	}
	own.runtime, err = store.NewRuntime(func(_ context.Context, invocation *unum.Invocation) error {
		own.deliver(ctx, invocation.Function, invocation.Payload)
		return nil
	}, nil)
	if err != nil {
		return err
	}
	session, err := store.CreateSessionContext()
	if err != nil {
		return err
	}
	payload, err := loop.EntryPayload([]byte("1000"), session)
	if err != nil {
		return err
	}
	own.deliver(ctx, "Numbers", payload)
	own.deliveries.Wait()
	if len(own.failures) > 0 {
		return own.failures[0]
	}
	fmt.Println(own.results)
	if len(own.results) != 1 || own.results[0] != "333833500" {
		return fmt.Errorf("the sum of the squares of 1 to 1,000 is 333833500")
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	kind, name := "memory", "fan-in"
	if len(os.Args) == 3 {
		kind, name = os.Args[1], os.Args[2]
	}
	if err := run(ctx, kind, name); err != nil {
		log.Fatal(err)
	}
}
