// Package unum is the library unum for Go: serverless workflows without an orchestrator.
//
// A [Loop] is one goroutine that is locked to its OS thread and runs everything: stores, steps of
// functions, whole applications. All else may be called from any goroutine, thousands at once; a
// call blocks its goroutine until it has ended, and its context cancels it. Handlers and invokers
// run in goroutines of their own.
//
// Every error is an [*Error]; its [Kind] is for [errors.Is]:
//
//	if errors.Is(err, unum.NotFound) { ... }
package unum

// #cgo pkg-config: unum
// #include "bridge.h"
import "C"

// Version returns the library's version, "1.2.3".
func Version() string { return C.GoString(C.unum_version()) }
