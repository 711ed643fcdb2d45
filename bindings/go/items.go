package unum

// #include "bridge.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// ItemKind is what an item of a session is; session, name and kind are its key.
type ItemKind int32

// The kinds of items.
const (
	ItemOutcome     ItemKind = C.UNUM_ITEM_OUTCOME     // an instance's result or caught failure
	ItemReport      ItemKind = C.UNUM_ITEM_REPORT      // a failure that was not caught
	ItemInput       ItemKind = C.UNUM_ITEM_INPUT       // what the session was begun with
	ItemClaim       ItemKind = C.UNUM_ITEM_CLAIM       // who invokes an aggregator
	ItemWanted      ItemKind = C.UNUM_ITEM_WANTED      // a fan-in that was requested, and its list
	ItemGarbage     ItemKind = C.UNUM_ITEM_GARBAGE     // what delivering an instance again needs
	ItemApplication ItemKind = C.UNUM_ITEM_APPLICATION // the application that the session belongs to
	ItemDelayed     ItemKind = C.UNUM_ITEM_DELAYED     // the next attempt of a failed step
	ItemInvoked     ItemKind = C.UNUM_ITEM_INVOKED     // who invoked an aggregator, once that is accepted
)

// Item is an item of a session, as it is listed.
type Item struct {
	Name     string
	Kind     ItemKind
	Bytes    uint64
	Modified time.Time // by the store's clock
}

// Get returns an item, and whether there is one.
func (s *Store) Get(ctx context.Context, session, name string, kind ItemKind) ([]byte, bool, error) {
	var value []byte
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_get(s.raw, a.text(session), a.text(name), C.int32_t(kind), start)
	}, func(op *C.unum_op) { value = bytesOf(C.unum_op_value(op, 0)) })
	return value, value != nil, err
}

// GetRange returns the same of the bytes from offset on, so many of them at most.
func (s *Store) GetRange(
	ctx context.Context, session, name string, kind ItemKind, offset uint64, bytes int,
) ([]byte, bool, error) {
	if bytes < 0 {
		return nil, false, newError(Invalid, "Unum.InvalidArgument", "bytes: negative")
	}
	var value []byte
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_get_range(s.raw, a.text(session), a.text(name), C.int32_t(kind),
			C.uint64_t(offset), C.size_t(bytes), start)
	}, func(op *C.unum_op) { value = bytesOf(C.unum_op_value(op, 0)) })
	return value, value != nil, err
}

// CreateItem creates the item unless it exists.
func (s *Store) CreateItem(
	ctx context.Context, session, name string, kind ItemKind, value []byte,
) (Written, error) {
	var written Written
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_create_item(s.raw, a.text(session), a.text(name), C.int32_t(kind), a.bytes(value), start)
	}, func(op *C.unum_op) { written = writtenOf(op) })
	return written, err
}

// Put writes the item, whether or not it exists.
func (s *Store) Put(ctx context.Context, session, name string, kind ItemKind, value []byte) error {
	return s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_put(s.raw, a.text(session), a.text(name), C.int32_t(kind), a.bytes(value), start)
	}, nil)
}

// Remove removes the item. It is no error if there is none.
func (s *Store) Remove(ctx context.Context, session, name string, kind ItemKind) error {
	return s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_remove(s.raw, a.text(session), a.text(name), C.int32_t(kind), start)
	}, nil)
}

// List returns the session's items, in no order.
func (s *Store) List(ctx context.Context, session string) ([]Item, error) {
	var items []Item
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_list(s.raw, a.text(session), start)
	}, func(op *C.unum_op) {
		items = make([]Item, int(C.unum_op_count(op)))
		for place := range items {
			item := C.unum_op_item(op, C.size_t(place))
			items[place] = Item{
				Name:     stringOf(item.name),
				Kind:     ItemKind(item.kind),
				Bytes:    uint64(item.bytes),
				Modified: time.Unix(0, int64(item.modified_ns)),
			}
		}
	})
	return items, err
}

// ListSessions returns the ids of the store's sessions, in no order.
func (s *Store) ListSessions(ctx context.Context) ([]string, error) {
	var sessions []string
	err := s.do(ctx, func(_ *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_list_sessions(s.raw, start)
	}, func(op *C.unum_op) {
		sessions = make([]string, int(C.unum_op_count(op)))
		for place := range sessions {
			sessions[place] = stringOf(C.unum_op_value(op, C.size_t(place)))
		}
	})
	return sessions, err
}

// FanIn is a fan-in that an instance takes part in. All contributors give the same list in the same
// order.
type FanIn struct {
	Aggregator string
	Instances  []string
}

// FanInStatus is what a fan-in is after its contributor's result was written.
type FanInStatus int32

const (
	// FanInIncomplete: a result is missing; its instance will find the set complete.
	FanInIncomplete FanInStatus = C.UNUM_FAN_IN_INCOMPLETE
	// FanInClaimed: complete, and the caller must invoke the aggregator.
	FanInClaimed FanInStatus = C.UNUM_FAN_IN_CLAIMED
	// FanInTaken: complete, and the instance's that Detail names.
	FanInTaken FanInStatus = C.UNUM_FAN_IN_TAKEN
	// FanInMismatch: the instance that Detail names has another list.
	FanInMismatch FanInStatus = C.UNUM_FAN_IN_MISMATCH
)

// FanInState is the state of one fan-in.
type FanInState struct {
	Status FanInStatus
	Detail string
}

func (a *arena) fanIns(given []FanIn) *C.unum_fan_in {
	first := (*C.unum_fan_in)(a.alloc(uintptr(len(given)) * unsafe.Sizeof(C.unum_fan_in{})))
	for i, one := range given {
		unsafe.Slice(first, len(given))[i] = C.unum_fan_in{
			struct_bytes: C.size_t(unsafe.Sizeof(*first)),
			aggregator:   a.text(one.Aggregator),
			instances:    a.texts(one.Instances),
			count:        C.size_t(len(one.Instances)),
		}
	}
	return first
}

func fanInStatesOf(op *C.unum_op) []FanInState {
	states := make([]FanInState, int(C.unum_op_count(op)))
	for place := range states {
		state := C.unum_op_fan_in(op, C.size_t(place))
		states[place] = FanInState{Status: FanInStatus(state.status), Detail: stringOf(state.detail)}
	}
	return states
}

// Commit writes the result of an instance and joins its fan-ins, in as few round trips as the store
// can. The states are in the order of the fan-ins; there are none if another value was there
// already, which then decides which fan-ins to join.
func (s *Store) Commit(
	ctx context.Context, session, instance string, value []byte, fanIns []FanIn,
) (Written, []FanInState, error) {
	var written Written
	var states []FanInState
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		joined, count := a.fanIns(fanIns), C.size_t(len(fanIns))
		return C.unum_store_commit(s.raw, a.context(session, instance), a.bytes(value), joined, count, start)
	}, func(op *C.unum_op) { written, states = writtenOf(op), fanInStatesOf(op) })
	return written, states, err
}

// Join joins fan-ins for a result that is stored already.
func (s *Store) Join(ctx context.Context, session, instance string, fanIns []FanIn) ([]FanInState, error) {
	var states []FanInState
	err := s.do(ctx, func(a *arena, start *C.unum_start) *C.unum_op {
		return C.unum_store_join(s.raw, a.context(session, instance), a.fanIns(fanIns), C.size_t(len(fanIns)), start)
	}, func(op *C.unum_op) { states = fanInStatesOf(op) })
	return states, err
}
