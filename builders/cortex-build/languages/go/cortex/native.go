//go:build !wasip1

package cortex

import (
	"fmt"
	"os"
)

var names = [...]string{"trace", "debug", "info", "warn", "error", "critical"}

func log(level Level, context, message string) {
	if context != "" {
		message = context + ": " + message
	}
	fmt.Fprintf(os.Stderr, "[%s] %s\n", names[level], message)
}

func progress(done, total float64, message string) {
	of := ""
	if total != 0 {
		of = fmt.Sprintf(" of %v", total)
	}
	fmt.Fprintf(os.Stderr, "[progress] %v%s: %s\n", done, of, message)
}

func secretExists(string) bool { return false }

func noHost() error { return fmt.Errorf("%w: only a component has a host that keeps it", ErrNoState) }

func get(string) ([]byte, error)                { return nil, noHost() }
func setFor(string, []byte, uint64) error       { return noHost() }
func set(string, []byte) error                  { return noHost() }
func remove(string) error                       { return noHost() }
func list() ([]string, error)                   { return nil, noHost() }
func increment(string, uint64) (uint64, error)  { return 0, noHost() }
func swap(string, []byte, []byte) (bool, error) { return false, noHost() }
