package unum

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import "unsafe"

// arena is C memory for the arguments of one call: the library copies them before it returns. It
// belongs to the loop's thread, and is used again for the next call.
type arena struct {
	base   unsafe.Pointer
	size   uintptr
	used   uintptr
	spills []unsafe.Pointer // what did not fit
	wanted uintptr
}

const (
	arenaBytesMin  = 16 << 10
	arenaBytesKept = 1 << 20
	arenaAlignment = 16
)

// alloc returns memory that is not zeroed, and never nil.
func (a *arena) alloc(bytes uintptr) unsafe.Pointer {
	bytes = (bytes + arenaAlignment) &^ (arenaAlignment - 1)
	a.wanted += bytes
	if a.base == nil {
		a.size = arenaBytesMin
		a.base = C.malloc(C.size_t(a.size))
	}
	if a.used+bytes <= a.size {
		place := unsafe.Add(a.base, a.used)
		a.used += bytes
		return place
	}
	spill := C.malloc(C.size_t(bytes)) // cgo ends the program when there is no memory
	a.spills = append(a.spills, spill)
	return spill
}

// reset gives everything back; what one call needed fits the next time.
func (a *arena) reset() {
	for _, spill := range a.spills {
		C.free(spill)
	}
	if len(a.spills) > 0 && a.wanted <= arenaBytesKept {
		C.free(a.base)
		a.size = a.wanted
		a.base = C.malloc(C.size_t(a.size))
	}
	a.spills, a.used, a.wanted = a.spills[:0], 0, 0
}

func (a *arena) free() {
	a.reset()
	C.free(a.base)
	a.base, a.size = nil, 0
}

func (a *arena) text(given string) C.unum_text {
	place := a.alloc(uintptr(len(given)))
	copy(unsafe.Slice((*byte)(place), len(given)), given)
	return C.unum_text{data: (*C.char)(place), bytes: C.size_t(len(given))}
}

func (a *arena) bytes(given []byte) C.unum_text {
	place := a.alloc(uintptr(len(given)))
	copy(unsafe.Slice((*byte)(place), len(given)), given)
	return C.unum_text{data: (*C.char)(place), bytes: C.size_t(len(given))}
}

// optional makes nil an absent text.
func (a *arena) optional(given []byte) C.unum_text {
	if given == nil {
		return C.unum_text{}
	}
	return a.bytes(given)
}

// texts puts all of them into one piece of memory.
func (a *arena) texts(given []string) *C.unum_text {
	total := 0
	for _, one := range given {
		total += len(one)
	}
	first := (*C.unum_text)(a.alloc(uintptr(len(given)) * unsafe.Sizeof(C.unum_text{})))
	place := a.alloc(uintptr(total))
	listed, letters := unsafe.Slice(first, len(given)), unsafe.Slice((*byte)(place), total)
	at := 0
	for i, one := range given {
		listed[i] = C.unum_text{data: (*C.char)(unsafe.Add(place, at)), bytes: C.size_t(len(one))}
		at += copy(letters[at:], one)
	}
	return first
}

func stringOf(text C.unum_text) string {
	return string(viewOf(text))
}

// bytesOf copies a text; nil if it is absent.
func bytesOf(text C.unum_text) []byte {
	if text.data == nil {
		return nil
	}
	return append([]byte{}, viewOf(text)...)
}

// viewOf is valid as long as the text.
func viewOf(text C.unum_text) []byte {
	if text.data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(text.data)), int(text.bytes))
}
