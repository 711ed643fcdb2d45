package unum

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"reflect"
)

// Kind says what a caller can do about an error. It is an error itself, for errors.Is.
type Kind int32

// The kinds of errors. Later versions of the library may add some.
const (
	NotFound     Kind = C.UNUM_NOT_FOUND    // what was named does not exist: create it, or correct the name
	Conflict     Kind = C.UNUM_CONFLICT     // someone wrote something different: do not retry unchanged
	Invalid      Kind = C.UNUM_INVALID      // the input is wrong: correct it
	Denied       Kind = C.UNUM_DENIED       // not permitted: change credentials or permissions
	Throttled    Kind = C.UNUM_THROTTLED    // the service asks for fewer requests: retry later
	Timeout      Kind = C.UNUM_TIMEOUT      // the time is up; it may or may not have taken effect
	Disconnected Kind = C.UNUM_DISCONNECTED // the peer is lost; it may or may not have taken effect
	Cancelled    Kind = C.UNUM_CANCELLED    // it was cancelled; it may or may not have taken effect
	Corrupt      Kind = C.UNUM_CORRUPT      // stored or received data is damaged
	Exhausted    Kind = C.UNUM_EXHAUSTED    // a limit was reached, or disk, memory or descriptors ran out
	Bug          Kind = C.UNUM_BUG          // the library or its caller broke a rule of the interface
)

// String returns the kind's name: "not_found".
func (k Kind) String() string { return C.GoString(C.unum_status_name(C.unum_status(k))) }

// Error returns the kind's name.
func (k Kind) Error() string { return k.String() }

// Delivery says what becomes of a delivery whose step ended in an error.
type Delivery int32

const (
	// DeliveryFinal: acknowledge it; another one would fail the same way.
	DeliveryFinal Delivery = C.UNUM_DELIVERY_FINAL
	// DeliveryAgain: do not acknowledge it; deliver again until the error is gone.
	DeliveryAgain Delivery = C.UNUM_DELIVERY_AGAIN
	// DeliveryBounded: the same, up to a limit of the host's; then Runtime.GiveUp.
	DeliveryBounded Delivery = C.UNUM_DELIVERY_BOUNDED
)

// Error is why a call failed. No text contains a secret.
type Error struct {
	Kind     Kind
	Delivery Delivery // of a step: what becomes of the delivery; 0: it says nothing of that
	Origin   string   // "fs", "ir", "reactor", "capi", "go", ...
	Code     string   // stable, for people and their scripts: "ENOSPC", "Unum.MissingInput", ...
	Message  string   // what happened, and what is involved
	cause    error
}

// Error returns origin, message, kind and code.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (%s %s)", e.Origin, e.Message, e.Kind, e.Code)
}

// Is tells whether target is the error's kind.
func (e *Error) Is(target error) bool {
	kind, is := target.(Kind)
	return is && kind == e.Kind
}

// Unwrap returns the error of the context that ended the call, if one did.
func (e *Error) Unwrap() error { return e.cause }

func newError(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Origin: "go", Code: code, Message: message}
}

func closedError() *Error { return newError(Cancelled, "Unum.LoopClosed", "the loop was closed") }

// errorOf copies an error of the library's.
func errorOf(given *C.unum_error) *Error {
	if given == nil {
		return newError(Bug, "Unum.NoError", "the library gave no error")
	}
	return &Error{
		Kind:     Kind(given.status),
		Delivery: Delivery(given.delivery),
		Origin:   stringOf(given.origin),
		Code:     stringOf(given.code),
		Message:  stringOf(given.message),
	}
}

// check makes an error of a call's status. Only on the thread that called.
func check(status C.unum_status) error {
	if status == C.UNUM_OK {
		return nil
	}
	return errorOf(C.unum_last_error())
}

// Failure is how user code fails: Name is what `Retry` and `Catch` see. Every other error that a
// handler returns is a failure, too, under the name of its type.
type Failure struct {
	Name  string
	Cause string // a text for people
}

// Error returns name and cause.
func (f *Failure) Error() string { return f.Name + ": " + f.Cause }

// Lost is what a handler returns whose code did not end by itself (its process died, say): the step
// ends in Disconnected, to be delivered again a few times.
type Lost struct {
	Message string
}

// Error returns the message.
func (l *Lost) Error() string { return l.Message }

// failureOf names any error.
func failureOf(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	var own *Error
	if errors.As(err, &own) {
		return &Failure{Name: own.Code, Cause: err.Error()}
	}
	kind := reflect.TypeOf(err)
	for kind.Kind() == reflect.Ptr {
		kind = kind.Elem()
	}
	switch name := kind.Name(); name {
	case "", "errorString", "wrapError", "wrapErrors", "joinError":
		return &Failure{Name: "Error", Cause: err.Error()}
	default:
		return &Failure{Name: name, Cause: err.Error()}
	}
}
