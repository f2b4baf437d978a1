// The tool contract, `cortex:tool/handler@0.1.0`, around a `Run` of the package. Added to the tool's own files when it is built.
//
// The canonical ABI is written out rather than generated: no module outside of the standard library, and nothing that runs
// in `cabi_realloc` may touch the Go heap (see there).

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"
)

// The answer as the host reads it, in words: 0, pointer and length of the result; or 1, pointers and lengths of code and
// message, 0 or 1, pointer and length of the data.
var cortexArea [8]uint32

// What the words point to. The collector does not move memory, so it is enough that something refers to it.
var cortexKept [3][]byte

//go:wasmexport cortex:tool/handler@0.1.0#invoke
func cortexInvoke(input unsafe.Pointer, length uint32) unsafe.Pointer {
	// The tool's own function: it takes json.RawMessage or anything that JSON decodes into, and returns a result and an error.
	cortexAnswer(Run, unsafe.Slice((*byte)(input), length))
	return unsafe.Pointer(&cortexArea)
}

func cortexAnswer[I, O any](run func(I) (O, error), input []byte) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n\n%s", reason, debug.Stack())
			cortexFail("panic", fmt.Sprint(reason), nil)
		}
	}()
	var args I
	if err := json.Unmarshal(input, &args); err != nil {
		cortexFail("invalid_input", err.Error(), nil)
		return
	}
	result, err := run(args)
	if err != nil {
		cortexError(err)
		return
	}
	document, err := cortexJSON(result)
	if err != nil {
		cortexFail("invalid_output", err.Error(), nil)
		return
	}
	cortexKept[0] = document
	cortexArea = [8]uint32{0, cortexAddress(document), uint32(len(document))}
}

// An error may say more than its message: `Code() string`, a word that programs test, and `Data() any`, a document in place
// of the result.
func cortexError(err error) {
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
	cortexFail(code, err.Error(), data)
}

func cortexFail(code, message string, data []byte) {
	// What the host reads has to be UTF-8, and an error's message may be any bytes.
	c, m := bytes.ToValidUTF8([]byte(code), []byte("?")), bytes.ToValidUTF8([]byte(message), []byte("?"))
	cortexKept = [3][]byte{c, m, data}
	some := uint32(0)
	if data != nil {
		some = 1
	}
	cortexArea = [8]uint32{
		1, cortexAddress(c), uint32(len(c)), cortexAddress(m), uint32(len(m)), some, cortexAddress(data), uint32(len(data)),
	}
}

// As json.Marshal, but `<` stays `<`: nobody puts the answer into a web page as it is.
func cortexJSON(value any) ([]byte, error) {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(document.Bytes(), []byte("\n")), err
}

func cortexAddress(b []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

// A library has no program of its own to run.
func main() {}
