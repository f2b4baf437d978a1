// A program around `Run` of the package, added to the tool's own files when its image is built. It is called once with the
// first argument or standard input, or with `--serve` for every line of standard input. The answer follows a record separator:
// `+` and the result, or `-` and the error. What comes before it is the tool's log.

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--serve" {
		lines := bufio.NewReaderSize(os.Stdin, 1<<20)
		for {
			line, err := lines.ReadBytes('\n')
			if len(line) > 0 {
				cortexWrite(cortexAnswer(Run, line))
			}
			if err != nil {
				return
			}
		}
	}
	if len(os.Args) > 1 {
		cortexWrite(cortexAnswer(Run, []byte(os.Args[1])))
		return
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cortexWrite(cortexAnswer(Run, input))
}

func cortexAnswer[I, O any](run func(I) (O, error), input []byte) (frame []byte) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n\n%s", reason, debug.Stack())
			frame = cortexFail("panic", fmt.Sprint(reason), nil)
		}
	}()
	var args I
	if err := json.Unmarshal(input, &args); err != nil {
		return cortexFail("invalid_input", err.Error(), nil)
	}
	result, err := run(args)
	if err != nil {
		return cortexError(err)
	}
	document, err := cortexJSON(result)
	if err != nil {
		return cortexFail("invalid_output", err.Error(), nil)
	}
	return append([]byte("+"), document...)
}

// An error may say more than its message: `Code() string`, a word that programs test, and `Data() any`, a document in place
// of the result.
func cortexError(err error) []byte {
	code := "tool_error"
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		code = coded.Code()
	}
	var data []byte
	var detailed interface{ Data() any }
	if errors.As(err, &detailed) {
		if document, err := cortexJSON(detailed.Data()); err == nil {
			data = document
		}
	}
	return cortexFail(code, err.Error(), data)
}

func cortexFail(code, message string, data []byte) []byte {
	failure := map[string]any{"code": code, "message": message, "data": nil}
	if data != nil {
		failure["data"] = string(data)
	}
	document, _ := cortexJSON(failure)
	return append([]byte("-"), document...)
}

// As json.Marshal, but `<` stays `<`: nobody puts the answer into a web page as it is.
func cortexJSON(value any) ([]byte, error) {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(document.Bytes(), []byte("\n")), err
}

func cortexWrite(frame []byte) {
	os.Stdout.Write(append(append([]byte("\x1e"), frame...), '\n'))
}
