package cortex

import (
	"bytes"
	"errors"
	"unsafe"
)

// What the host writes is where `cabi_realloc` of the added `cortex_memory.go` says. These give it back.

//go:linkname mark main.cortexMark
func mark() marked

//go:linkname release main.cortexRelease
func release(marked)

type marked struct{ block, next uintptr }

// Where the host writes a result of more than one word. It escapes to the heap, whose objects do not move, as a stack may.
type area [4]uint64

func (a *area) byte(at uintptr) byte   { return *(*byte)(unsafe.Add(unsafe.Pointer(a), at)) }
func (a *area) word(at uintptr) uint32 { return *(*uint32)(unsafe.Add(unsafe.Pointer(a), at)) }
func (a *area) long(at uintptr) uint64 { return *(*uint64)(unsafe.Add(unsafe.Pointer(a), at)) }

func pointer(address uint32) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), uintptr(address)) }

// A copy of the bytes at an address, since their place is used again. Never nil.
func (a *area) bytes(at uintptr) []byte {
	if a.word(at+4) == 0 {
		return []byte{}
	}
	return bytes.Clone(unsafe.Slice((*byte)(pointer(a.word(at))), a.word(at+4)))
}

// The error of a result of `wasi:keyvalue` whose payload is at a place.
func (a *area) failed(at uintptr) error {
	if a.byte(0) == 0 {
		return nil
	}
	switch a.byte(at) {
	case 0:
		return errors.New("there is no such bucket")
	case 1:
		return ErrNoState
	}
	return errors.New(string(a.bytes(at + 4)))
}

// Calls a function with the tool's bucket, which is open afterwards: an instance lives for one call.
func within(work func(bucket int32, a *area) error) error {
	a, at := new(area), mark()
	defer release(at)
	if opened == 0 {
		storeOpen("default", a)
		if err := a.failed(4); err != nil {
			return err
		}
		// A handle may be 0.
		opened = int64(a.word(4)) + 1
	}
	return work(int32(opened-1), a)
}

var opened int64

func log(level Level, context, message string) { hostLog(int32(level), context, message) }

func progress(done, total float64, message string) {
	hostProgress(done, some(total != 0), total, some(message != ""), message)
}

func some(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

func secretExists(name string) bool { return hostSecretExists(name) != 0 }

func get(key string) (value []byte, err error) {
	err = within(func(bucket int32, a *area) error {
		bucketGet(bucket, key, a)
		err := a.failed(4)
		if err == nil && a.byte(4) != 0 {
			value = a.bytes(8)
		}
		return err
	})
	return value, err
}

func set(key string, value []byte) error {
	return within(func(bucket int32, a *area) error {
		bucketSet(bucket, key, unsafe.Pointer(unsafe.SliceData(value)), int32(len(value)), a)
		return a.failed(4)
	})
}

func setFor(key string, value []byte, milliseconds uint64) error {
	// The bucket is opened for its error alone, which says more than that of the function.
	return within(func(_ int32, a *area) error {
		hostSetFor(key, unsafe.Pointer(unsafe.SliceData(value)), int32(len(value)), milliseconds, a)
		if a.byte(0) != 0 {
			return errors.New(string(a.bytes(4)))
		}
		return nil
	})
}

func remove(key string) error {
	return within(func(bucket int32, a *area) error {
		bucketDelete(bucket, key, a)
		return a.failed(4)
	})
}

func list() (keys []string, err error) {
	some, cursor := int32(0), uint64(0)
	for more := true; more && err == nil; {
		err = within(func(bucket int32, a *area) error {
			bucketListKeys(bucket, some, cursor, a)
			if err := a.failed(8); err != nil {
				return err
			}
			for _, key := range unsafe.Slice((*[2]uint32)(pointer(a.word(8))), a.word(12)) {
				keys = append(keys, string(unsafe.Slice((*byte)(pointer(key[0])), key[1])))
			}
			some, cursor = int32(a.byte(16)), a.long(24)
			more = some != 0
			return nil
		})
	}
	return keys, err
}

func increment(key string, delta uint64) (sum uint64, err error) {
	err = within(func(bucket int32, a *area) error {
		atomicsIncrement(bucket, key, delta, a)
		sum = a.long(8)
		return a.failed(8)
	})
	return sum, err
}

func swap(key string, expected, value []byte) (done bool, err error) {
	// The bucket is opened for its error alone, which says more than that of the function.
	err = within(func(_ int32, a *area) error {
		before, after := unsafe.Pointer(unsafe.SliceData(expected)), unsafe.Pointer(unsafe.SliceData(value))
		hostSwap(
			key, some(expected != nil), before, int32(len(expected)), some(value != nil), after, int32(len(value)), a,
		)
		if a.byte(0) != 0 {
			return errors.New(string(a.bytes(4)))
		}
		done = a.byte(4) != 0
		return nil
	})
	return done, err
}

// The imports, as the canonical ABI lowers them.

//go:wasmimport wasi:logging/logging@0.1.0-draft log
func hostLog(level int32, context, message string)

//go:wasmimport cortex:tool/host@0.1.0 progress
func hostProgress(done float64, hasTotal int32, total float64, hasMessage int32, message string)

//go:wasmimport cortex:tool/host@0.1.0 secret-exists
func hostSecretExists(name string) int32

//go:wasmimport cortex:tool/host@0.1.0 compare-and-swap
func hostSwap(key string, hasExpected int32, expected unsafe.Pointer, expectedLen int32, hasValue int32, value unsafe.Pointer, valueLen int32, a *area)

//go:wasmimport cortex:tool/host@0.1.0 set-for
func hostSetFor(key string, value unsafe.Pointer, length int32, milliseconds uint64, a *area)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft open
func storeOpen(name string, a *area)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft [method]bucket.get
func bucketGet(bucket int32, key string, a *area)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft [method]bucket.set
func bucketSet(bucket int32, key string, value unsafe.Pointer, length int32, a *area)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft [method]bucket.delete
func bucketDelete(bucket int32, key string, a *area)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft [method]bucket.list-keys
func bucketListKeys(bucket, hasCursor int32, cursor uint64, a *area)

//go:wasmimport wasi:keyvalue/atomics@0.2.0-draft increment
func atomicsIncrement(bucket int32, key string, delta uint64, a *area)
