// Where the host puts what it passes. Added to a tool's own files when it is built and the host calls it or answers it.

package main

import "unsafe"

//go:linkname cortexSbrk runtime.sbrk
func cortexSbrk(n uintptr) unsafe.Pointer

// A block of memory that the Go heap does not own, and the next free byte in it. Nothing is given back but what the HTTP client
// and the package `cortex` have copied out of it: an instance lives for one call.
var cortexBlock, cortexNext, cortexLimit uintptr

// What the host and the WASI adapter write into. Allocating from the Go heap could start or finish a collection, which reads
// the clock, and an import that is called in here kills the instance ("cannot leave component instance").
//
//go:wasmexport cabi_realloc
func cortexRealloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	if old != nil {
		panic("the canonical ABI moved a block, which it never does for strings")
	}
	start := (cortexNext + uintptr(align) - 1) &^ (uintptr(align) - 1)
	if cortexNext == 0 || start+uintptr(size) > cortexLimit {
		n := max(uintptr(size)+uintptr(align), 64<<10)
		cortexBlock = uintptr(cortexSbrk(n))
		if cortexBlock == 0 {
			panic("out of memory")
		}
		cortexNext, cortexLimit = cortexBlock, cortexBlock+n
		start = (cortexNext + uintptr(align) - 1) &^ (uintptr(align) - 1)
	}
	cortexNext = start + uintptr(size)
	return unsafe.Pointer(start)
}

// The memory that the host was given since is free again once its content was copied.
type cortexMarked struct{ block, next uintptr }

func cortexMark() cortexMarked { return cortexMarked{cortexBlock, cortexNext} }

func (mark cortexMarked) release() { cortexRelease(mark) }

// The package `cortex` knows it by this name.
func cortexRelease(mark cortexMarked) {
	if cortexBlock == mark.block {
		cortexNext = mark.next
	} else {
		cortexNext = cortexBlock
	}
}
