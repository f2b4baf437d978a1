// A program around a `Run` of the package, for TinyGo: the input is the first argument, the result is standard output.
// Added to the tool's own files when it is built.

package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	result, err := cortexAnswer(Run)
	if err != nil {
		result = map[string]string{"error": err.Error()}
	}
	if failed := json.NewEncoder(os.Stdout).Encode(result); failed != nil {
		fmt.Fprintln(os.Stderr, failed)
		os.Exit(1)
	}
	if err != nil {
		os.Exit(1)
	}
}

func cortexAnswer[I, O any](run func(I) (O, error)) (any, error) {
	var args I
	if err := json.Unmarshal([]byte(os.Args[1]), &args); err != nil {
		return nil, err
	}
	return run(args)
}
