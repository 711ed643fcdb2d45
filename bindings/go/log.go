package unum

// #include "bridge.h"
import "C"

import (
	"runtime"
	"sync"
)

// LogEvent is one event of the log.
type LogEvent struct {
	Level    string // "warn", "info", ...
	Area     string // "redis", "reactor", ...
	Session  string // if it belongs to one
	Instance string // if it belongs to one
	Line     string // what happened
}

var (
	logMutex sync.Mutex
	logSink  func(LogEvent)
)

// SetLog has events go to a function, or, if it is nil, to stderr; for the whole process. The
// function is called where they occur, one at a time, and must not call the library.
func SetLog(sink func(LogEvent)) error {
	logMutex.Lock()
	logSink = sink
	logMutex.Unlock()
	return setLog(C.unum_text{}, sink != nil)
}

// SetLogLevels sets levels in the form of the environment variable UNUM_LOG: "warn",
// "info,redis=trace", "off"; for the whole process.
func SetLogLevels(levels string) error {
	logMutex.Lock()
	hasSink := logSink != nil
	logMutex.Unlock()
	var own arena
	defer own.free()
	return setLog(own.text(levels), hasSink)
}

func setLog(levels C.unum_text, toGo bool) error {
	// The error of a call is its thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return check(C.unum_go_set_log(levels, C.int(number(toGo))))
}

//export unumGoLog
func unumGoLog(level, area, session, instance, line C.unum_text) {
	logMutex.Lock()
	sink := logSink
	logMutex.Unlock()
	if sink == nil {
		return
	}
	defer func() { _ = recover() }() // a line that cannot be logged is no reason to end the program
	sink(LogEvent{
		Level: stringOf(level), Area: stringOf(area), Session: stringOf(session),
		Instance: stringOf(instance), Line: stringOf(line),
	})
}
