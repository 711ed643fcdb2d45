package unum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var background = context.Background()

func newLoop(t *testing.T) *Loop {
	t.Helper()
	loop, err := NewLoop(nil)
	must(t, err)
	t.Cleanup(func() { _ = loop.Close() })
	return loop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, loop *Loop, kind, name string) *Store {
	t.Helper()
	_, err := loop.CreateStore(background, kind, name)
	must(t, err)
	store, err := loop.OpenStore(background, kind, name, &StoreOptions{NotDurable: true})
	must(t, err)
	return store
}

func memory(t *testing.T, loop *Loop) *Store { return open(t, loop, "memory", t.Name()) }

// onEachStore runs a test on files, memory, and Redis where UNUM_TEST_REDIS names one.
func onEachStore(t *testing.T, test func(t *testing.T, loop *Loop, store *Store)) {
	stores := map[string]string{"fs": filepath.Join(t.TempDir(), "store"), "memory": t.Name()}
	if redis := os.Getenv("UNUM_TEST_REDIS"); redis != "" {
		stores["redis"] = redis
	}
	for kind, name := range stores {
		t.Run(kind, func(t *testing.T) {
			loop := newLoop(t)
			test(t, loop, open(t, loop, kind, name))
		})
	}
}

func newSession(t *testing.T, store *Store) string {
	t.Helper()
	session, err := store.CreateSessionContext()
	must(t, err)
	return session
}

// silentServer takes connections and says nothing: what is asked of it never ends by itself.
func silentServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func TestTheFiveCallsDoWhatTheDocumentSays(t *testing.T) {
	onEachStore(t, func(t *testing.T, _ *Loop, store *Store) {
		session := newSession(t, store)
		if len(session) != 36 {
			t.Errorf("session %q", session)
		}
		write := func(instance, value string) Written {
			written, err := store.WriteReturnValue(background, session, instance, []byte(value))
			must(t, err)
			return written
		}
		if !write("A", "1").New {
			t.Error("the first is not new")
		}
		if again := write("A", "2"); again.New || string(again.Existing) != "1" {
			t.Errorf("the second: %+v", again)
		}
		if exist, err := store.CheckValuesExist(background, session, []string{"A", "B"}); exist || err != nil {
			t.Error(exist, err)
		}
		_, err := store.ReadInput(background, session, []string{"A", "B"})
		var own *Error
		if !errors.Is(err, NotFound) || !errors.As(err, &own) || !strings.Contains(own.Message, "B") {
			t.Errorf("missing: %v", err)
		}
		write("B", `"zwei"`)
		if exists, err := store.CheckValueExist(background, session, "B"); !exists || err != nil {
			t.Error(exists, err)
		}
		values, err := store.ReadInput(background, session, []string{"B", "A"})
		must(t, err)
		if got := fmt.Sprintf("%s", values); got != `["zwei" 1]` {
			t.Error(got)
		}
	})
}

func TestItemsArePutGotListedAndRemoved(t *testing.T) {
	onEachStore(t, func(t *testing.T, _ *Loop, store *Store) {
		session := newSession(t, store)
		if _, is, err := store.Get(background, session, "I", ItemInput); is || err != nil {
			t.Error(is, err)
		}
		must(t, store.Put(background, session, "I", ItemInput, []byte("0123456789")))
		must(t, store.Put(background, session, "Empty", ItemInput, nil))
		value, is, err := store.Get(background, session, "Empty", ItemInput)
		if len(value) != 0 || !is || err != nil {
			t.Error(value, is, err)
		}
		must(t, store.Remove(background, session, "Empty", ItemInput))
		value, is, err = store.GetRange(background, session, "I", ItemInput, 3, 4)
		if string(value) != "3456" || !is || err != nil {
			t.Error(value, is, err)
		}
		written, err := store.CreateItem(background, session, "I", ItemInput, []byte("x"))
		if written.New || string(written.Existing) != "0123456789" || err != nil {
			t.Error(written, err)
		}
		items, err := store.List(background, session)
		must(t, err)
		if len(items) != 1 || items[0].Name != "I" || items[0].Kind != ItemInput || items[0].Bytes != 10 {
			t.Errorf("%+v", items)
		}
		sessions, err := store.ListSessions(background)
		if err != nil || !strings.Contains(strings.Join(sessions, " "), session) {
			t.Error(sessions, err)
		}
		must(t, store.Remove(background, session, "I", ItemInput))
		must(t, store.Remove(background, session, "I", ItemInput))
	})
}

func TestTheLastContributorClaimsAFanIn(t *testing.T) {
	onEachStore(t, func(t *testing.T, _ *Loop, store *Store) {
		session, names := newSession(t, store), []string{"F-unumIndex-0", "F-unumIndex-1"}
		fanIns := []FanIn{{Aggregator: "Sum", Instances: names}}
		for place, expected := range []FanInStatus{FanInIncomplete, FanInClaimed} {
			written, states, err := store.Commit(background, session, names[place], []byte("1"), fanIns)
			if err != nil || !written.New || len(states) != 1 || states[0].Status != expected {
				t.Error(written, states, err)
			}
		}
		states, err := store.Join(background, session, names[0], fanIns)
		if err != nil || len(states) != 1 || states[0].Status != FanInTaken {
			t.Error(states, err)
		}
		if _, err := store.Join(background, session, "G", fanIns); !errors.Is(err, Invalid) {
			t.Error(err)
		}
	})
}

func TestAThousandGoroutinesCallAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, _ *Loop, store *Store) {
		session, names := newSession(t, store), make([]string, 1000)
		var group sync.WaitGroup
		failures := make(chan error, len(names))
		for i := range names {
			name := fmt.Sprintf("F-unumIndex-%d", i)
			names[i] = name
			group.Add(1)
			go func() {
				defer group.Done()
				if _, err := store.WriteReturnValue(background, session, name, []byte(name)); err != nil {
					failures <- err
				}
			}()
		}
		group.Wait()
		close(failures)
		must(t, <-failures)
		exist, err := store.CheckValuesExist(background, session, names)
		if !exist || err != nil {
			t.Error(exist, err)
		}
		next := 0
		must(t, store.ReadInputStream(background, session, names, func(place int, value []byte) error {
			if place != next || string(value) != names[place] {
				return fmt.Errorf("value %d: %s", place, value)
			}
			next++
			// A consumer may call the store: it is not on the loop's thread.
			_, err := store.CreateSessionContext()
			return err
		}))
		if next != len(names) {
			t.Error(next)
		}
		enough := errors.New("enough")
		err = store.ReadInputStream(background, session, names, func(int, []byte) error { return enough })
		if err != enough {
			t.Error(err)
		}
	})
}

func TestBadArgumentsAreErrorsWithTexts(t *testing.T) {
	loop := newLoop(t)
	_, err := loop.OpenStore(background, "floppy", "A:", nil)
	var own *Error
	if !errors.As(err, &own) || own.Kind != Invalid || !strings.Contains(own.Message, "floppy") || own.Delivery == 0 {
		t.Errorf("%+v", err)
	}
	if _, err := loop.OpenStore(background, "memory", "none", nil); !errors.Is(err, NotFound) {
		t.Error(err)
	}
	if _, err := memory(t, loop).WriteReturnValue(background, "", "A", nil); !errors.Is(err, Invalid) {
		t.Error(err)
	}
	if NotFound.String() != "not_found" {
		t.Error(NotFound)
	}
	if Version() != "0.1.0" {
		t.Error(Version())
	}
}

func TestAContextCancelsACall(t *testing.T) {
	loop, server := newLoop(t), silentServer(t)
	for _, wanted := range []error{context.Canceled, context.DeadlineExceeded} {
		ctx, cancel := context.WithCancel(background)
		if wanted == context.DeadlineExceeded {
			ctx, cancel = context.WithTimeout(background, 20*time.Millisecond)
		} else {
			time.AfterFunc(20*time.Millisecond, cancel)
		}
		_, err := loop.OpenStore(ctx, "redis", server, nil)
		if !errors.Is(err, wanted) || !errors.Is(err, Cancelled) {
			t.Errorf("%v: %v", wanted, err)
		}
		// One that is over already begins nothing.
		if _, err := loop.CreateStore(ctx, "memory", "over"); !errors.Is(err, wanted) {
			t.Error(err)
		}
		cancel()
	}
}

func TestAClosedStoreAndAClosedLoopRefuseCalls(t *testing.T) {
	loop, server := newLoop(t), silentServer(t)
	store := memory(t, loop)
	must(t, store.Close(background))
	if _, err := store.ListSessions(background); !errors.Is(err, Bug) {
		t.Error(err)
	}
	if err := store.Close(background); !errors.Is(err, Bug) {
		t.Error(err)
	}
	running := make(chan error)
	go func() {
		_, err := loop.OpenStore(background, "redis", server, nil)
		running <- err
	}()
	// The call is on the loop's thread before this one, or refused after it.
	_, err := loop.Backend()
	must(t, err)
	must(t, loop.Close())
	must(t, loop.Close())
	if err := <-running; !errors.Is(err, Cancelled) {
		t.Error(err)
	}
	if _, err := loop.CreateStore(background, "memory", "x"); !errors.Is(err, Cancelled) {
		t.Error(err)
	}
	if _, err := loop.EntryPayload([]byte("1"), "s"); !errors.Is(err, Cancelled) {
		t.Error(err)
	}
}

func TestALoopMayBeClosedWhileThousandsCall(t *testing.T) {
	loop := newLoop(t)
	store := memory(t, loop)
	var group sync.WaitGroup
	for i := 0; i < 1000; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			_, err := store.WriteReturnValue(background, "s", fmt.Sprint(i), []byte("1"))
			if err != nil && !errors.Is(err, Cancelled) {
				t.Error(err)
			}
		}(i)
	}
	must(t, loop.Close())
	group.Wait()
}

func TestEachBackendSaysWhatItIs(t *testing.T) {
	for backend, name := range map[Backend]string{Uring: "io_uring", Epoll: "epoll"} {
		loop, err := NewLoop(&LoopOptions{Backend: backend})
		if errors.Is(err, Denied) || errors.Is(err, NotFound) {
			continue
		}
		must(t, err)
		said, err := loop.Backend()
		if err != nil || !strings.HasPrefix(said, name) {
			t.Error(said, err)
		}
		must(t, loop.Close())
	}
	if _, err := NewLoop(&LoopOptions{Backend: 7}); !errors.Is(err, Invalid) {
		t.Error(err)
	}
}
