// Package cortex is what the host of a cortex-wasm tool offers besides WASI: a log, word of how far a call is, and values
// that outlive it.
//
//	cortex.Log(cortex.Info, "begun")
//	cortex.Progress(3, 10, "pages read")
//	err := cortex.State.Set("seen", []byte("3"))
//
// The log and the progress are free; State needs `permissions: { state: true }` in the manifest. A component imports what its
// tool calls, and nothing else.
//
// cortex-wasm puts the package into Go's standard library when it builds a component. Where there is no host, on your own
// machine or in a container, the log and the progress go to standard error, there are no secrets, and State fails. To have
// it there, copy this folder beside the source and let go.mod say so:
//
//	require cortex v0.0.0
//	replace cortex => ./cortex
package cortex

import (
	"errors"
	"math"
	"time"
)

// Level says how bad a line of the log is.
type Level int32

const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
	Critical
)

// ErrNoState says that the tool was granted no state, or that there is no host to keep it.
var ErrNoState = errors.New("the tool was granted no state")

// Log writes a line into the record of the call.
func Log(level Level, message string) { LogIn("", level, message) }

// LogIn writes a line into the record of the call. The context groups lines.
func LogIn(context string, level Level, message string) {
	log(min(max(level, Trace), Critical), context, message)
}

// Progress tells whoever waits for the answer how far the call is: done of total, in a unit of your own. A total of 0 is not
// known.
func Progress(done, total float64, message string) {
	if !math.IsNaN(done) {
		progress(done, total, message)
	}
}

// SecretExists tells whether the tool was granted a secret of this name that has a value. The value stays with the host.
func SecretExists(name string) bool { return secretExists(name) }

type bucket struct{}

// State holds values of the tool's own, which outlive its calls. Each method is a transaction. An error is ErrNoState, or names
// a limit that was hit.
var State bucket

// Get returns the value of a key, which is nil if there is none, and never nil if there is one.
func (bucket) Get(key string) ([]byte, error) { return get(key) }

// Set sets a key to a value.
func (bucket) Set(key string, value []byte) error { return set(key, value) }

// SetFor sets a key to a value that is gone after a time: it is not found, not listed, and takes no room.
func (bucket) SetFor(key string, value []byte, ttl time.Duration) error {
	return setFor(key, value, uint64(max(ttl.Milliseconds(), 0)))
}

// Delete removes a key, if it is there.
func (bucket) Delete(key string) error { return remove(key) }

// List returns all keys, in their order.
func (bucket) List() ([]string, error) { return list() }

// Increment adds to a number, which is 0 if there is none, and returns it. It is kept as its decimal digits.
func (bucket) Increment(key string, delta uint64) (uint64, error) { return increment(key, delta) }

// Swap sets a key to a value (nil removes it) if it is as expected now (nil: not there), and says whether it did.
func (bucket) Swap(key string, expected, value []byte) (bool, error) {
	return swap(key, expected, value)
}
