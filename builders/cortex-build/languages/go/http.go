// An http.RoundTripper over `wasi:http`, installed as http.DefaultTransport: `http.Get` works as it is written everywhere.
// Added to a tool's own files when its manifest asks for the network. Which servers are reached is the host's decision.
//
// A component has one thread: while a request waits, all goroutines do. A deadline of the request's context, or a Timeout of
// its client, is given to the host, which ends the wait.

package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
	"unsafe"
)

func init() { http.DefaultTransport = cortexTransport{} }

type cortexTransport struct{}

func (cortexTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	request, err := cortexRequest(req)
	if err != nil {
		return nil, err
	}
	var area cortexArea64
	cortexRequestBody(request, &area)
	if area.byte(0) != 0 {
		return nil, errors.New("the request has no body to write")
	}
	body := area.word(4)
	some, options := cortexDeadline(req)
	cortexHandle(request, some, options, &area)
	if area.byte(0) != 0 {
		return nil, cortexErrorCode(area.byte(8))
	}
	future := area.word(8)
	defer cortexDropFuture(future)
	// Only after the request was handed over, since the host takes the body piece by piece.
	if err := cortexSend(body, req.Body); err != nil {
		return nil, err
	}
	ready := cortexSubscribe(future)
	cortexBlockOn(ready)
	cortexDropPollable(ready)
	cortexGet(future, &area)
	if area.byte(0) == 0 || area.byte(8) != 0 {
		return nil, errors.New("the host has lost the response")
	}
	if area.byte(16) != 0 {
		return nil, cortexErrorCode(area.byte(24))
	}
	return cortexResponse(req, area.word(24))
}

func cortexRequest(req *http.Request) (int32, error) {
	headers := cortexNewFields()
	var area cortexArea64
	add := func(name, value string) error {
		cortexAppend(headers, name, value, &area)
		// What is forbidden, such as `Connection`, the host sets itself.
		if area.byte(0) != 0 && area.byte(1) == 0 {
			return errors.New("the header " + strconv.Quote(name) + " is not valid")
		}
		return nil
	}
	for name, values := range req.Header {
		for _, value := range values {
			if err := add(name, value); err != nil {
				return 0, err
			}
		}
	}
	if req.Body != nil && req.ContentLength > 0 {
		if err := add("Content-Length", strconv.FormatInt(req.ContentLength, 10)); err != nil {
			return 0, err
		}
	}
	request := cortexNewRequest(headers)
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	scheme := int32(0)
	if req.URL.Scheme == "https" {
		scheme = 1
	}
	failed := cortexSetMethod(request, cortexMethod(req.Method), req.Method)
	failed |= cortexSetScheme(request, 1, scheme, "")
	failed |= cortexSetAuthority(request, 1, host)
	failed |= cortexSetPath(request, 1, req.URL.RequestURI())
	if failed != 0 {
		return 0, errors.New("the host refuses the method or the address of the request")
	}
	return request, nil
}

func cortexMethod(method string) int32 {
	for number, known := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"} {
		if method == known || method == "" {
			return int32(number)
		}
	}
	return 9
}

func cortexDeadline(req *http.Request) (some, options int32) {
	deadline, ok := req.Context().Deadline()
	if !ok {
		return 0, 0
	}
	options = cortexNewOptions()
	left := max(int64(time.Until(deadline)), 1)
	cortexConnectTimeout(options, 1, left)
	cortexFirstByteTimeout(options, 1, left)
	cortexBetweenBytesTimeout(options, 1, left)
	return 1, options
}

func cortexSend(body int32, content io.Reader) error {
	var area cortexArea64
	if content != nil {
		cortexBodyWrite(body, &area)
		if area.byte(0) != 0 {
			return errors.New("the body of the request cannot be written")
		}
		stream := area.word(4)
		// The most that one call takes.
		buffer := make([]byte, 4096)
		for {
			n, err := content.Read(buffer)
			if n > 0 {
				cortexStreamWrite(stream, unsafe.Pointer(&buffer[0]), int32(n), &area)
				if area.byte(0) != 0 {
					cortexDropOutput(stream)
					return errors.New("the server has closed the connection while the request was sent")
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				cortexDropOutput(stream)
				return err
			}
		}
		cortexDropOutput(stream)
	}
	cortexFinish(body, 0, 0, &area)
	if area.byte(0) != 0 {
		return cortexErrorCode(area.byte(8))
	}
	return nil
}

func cortexResponse(req *http.Request, response int32) (*http.Response, error) {
	var area cortexArea64
	header := http.Header{}
	fields := cortexHeaders(response)
	mark := cortexMark()
	cortexEntries(fields, &area)
	for _, entry := range unsafe.Slice((*[4]uint32)(cortexPointer(area.word(0))), area.word(4)) {
		// Copied: the block is used again.
		name, value := cortexCopy(entry[0], entry[1]), cortexCopy(entry[2], entry[3])
		header.Add(string(name), string(value))
	}
	mark.release()
	cortexDropFields(fields)
	cortexConsume(response, &area)
	if area.byte(0) != 0 {
		return nil, errors.New("the body of the response cannot be read")
	}
	body := area.word(4)
	cortexStream(body, &area)
	if area.byte(0) != 0 {
		return nil, errors.New("the body of the response cannot be read")
	}
	length := int64(-1)
	if parsed, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		length = parsed
	}
	code := int(cortexStatus(response))
	return &http.Response{
		Status:        strconv.Itoa(code) + " " + http.StatusText(code),
		StatusCode:    code,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          &cortexBody{response: response, body: body, stream: area.word(4)},
		ContentLength: length,
		Request:       req,
	}, nil
}

type cortexBody struct {
	response, body, stream int32
	closed                 bool
}

func (b *cortexBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if len(p) == 0 {
		return 0, nil
	}
	var area cortexArea64
	for {
		mark := cortexMark()
		cortexStreamRead(b.stream, int64(min(len(p), 64<<10)), &area)
		if area.byte(0) != 0 {
			if area.byte(4) == 1 {
				return 0, io.EOF
			}
			cortexDropError(area.word(8))
			return 0, io.ErrUnexpectedEOF
		}
		n := copy(p, unsafe.Slice((*byte)(cortexPointer(area.word(4))), area.word(8)))
		mark.release()
		if n > 0 {
			return n, nil
		}
	}
}

func (b *cortexBody) Close() error {
	if !b.closed {
		b.closed = true
		cortexDropInput(b.stream)
		cortexDropBody(b.body)
		cortexDropResponse(b.response)
	}
	return nil
}

// What the host returns by memory. It escapes to the heap, whose objects do not move, as a stack may.
type cortexArea64 [7]uint64

func (area *cortexArea64) byte(at uintptr) byte {
	return *(*byte)(unsafe.Add(unsafe.Pointer(area), at))
}

func (area *cortexArea64) word(at uintptr) int32 {
	return *(*int32)(unsafe.Add(unsafe.Pointer(area), at))
}

func cortexPointer(address int32) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(nil), uintptr(uint32(address)))
}

func cortexCopy(address, length uint32) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(cortexPointer(int32(address))), length))
}

func cortexErrorCode(code byte) error {
	names := []string{
		"DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "destination-IP-prohibited",
		"destination-IP-unroutable", "connection-refused", "connection-terminated", "connection-timeout",
		"connection-read-timeout", "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error",
		"TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied", "HTTP-request-length-required",
		"HTTP-request-body-size", "HTTP-request-method-invalid", "HTTP-request-URI-invalid", "HTTP-request-URI-too-long",
		"HTTP-request-header-section-size", "HTTP-request-header-size", "HTTP-request-trailer-section-size",
		"HTTP-request-trailer-size", "HTTP-response-incomplete", "HTTP-response-header-section-size",
		"HTTP-response-header-size", "HTTP-response-body-size", "HTTP-response-trailer-section-size",
		"HTTP-response-trailer-size", "HTTP-response-transfer-coding", "HTTP-response-content-coding",
		"HTTP-response-timeout", "HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected", "configuration-error",
		"internal-error",
	}
	if int(code) >= len(names) {
		return errors.New("the request failed for a reason without a name")
	}
	return errors.New(names[code])
}

// The imports, as the canonical ABI lowers them. `cortexArea64` is where results of more than one word go.

//go:wasmimport wasi:http/types@0.2.12 [constructor]fields
func cortexNewFields() int32

//go:wasmimport wasi:http/types@0.2.12 [method]fields.append
func cortexAppend(fields int32, name, value string, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [method]fields.entries
func cortexEntries(fields int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [constructor]outgoing-request
func cortexNewRequest(headers int32) int32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.body
func cortexRequestBody(request int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-method
func cortexSetMethod(request, method int32, other string) int32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-scheme
func cortexSetScheme(request, some, scheme int32, other string) int32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-authority
func cortexSetAuthority(request, some int32, authority string) int32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-path-with-query
func cortexSetPath(request, some int32, path string) int32

//go:wasmimport wasi:http/types@0.2.12 [constructor]request-options
func cortexNewOptions() int32

//go:wasmimport wasi:http/types@0.2.12 [method]request-options.set-connect-timeout
func cortexConnectTimeout(options, some int32, nanoseconds int64) int32

//go:wasmimport wasi:http/types@0.2.12 [method]request-options.set-first-byte-timeout
func cortexFirstByteTimeout(options, some int32, nanoseconds int64) int32

//go:wasmimport wasi:http/types@0.2.12 [method]request-options.set-between-bytes-timeout
func cortexBetweenBytesTimeout(options, some int32, nanoseconds int64) int32

//go:wasmimport wasi:http/outgoing-handler@0.2.12 handle
func cortexHandle(request, some, options int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-body.write
func cortexBodyWrite(body int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [static]outgoing-body.finish
func cortexFinish(body, some, trailers int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [method]future-incoming-response.subscribe
func cortexSubscribe(future int32) int32

//go:wasmimport wasi:http/types@0.2.12 [method]future-incoming-response.get
func cortexGet(future int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.status
func cortexStatus(response int32) int32

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.headers
func cortexHeaders(response int32) int32

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.consume
func cortexConsume(response int32, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-body.stream
func cortexStream(body int32, area *cortexArea64)

//go:wasmimport wasi:io/poll@0.2.12 [method]pollable.block
func cortexBlockOn(pollable int32)

//go:wasmimport wasi:io/streams@0.2.12 [method]output-stream.blocking-write-and-flush
func cortexStreamWrite(stream int32, bytes unsafe.Pointer, length int32, area *cortexArea64)

//go:wasmimport wasi:io/streams@0.2.12 [method]input-stream.blocking-read
func cortexStreamRead(stream int32, length int64, area *cortexArea64)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]fields
func cortexDropFields(fields int32)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]future-incoming-response
func cortexDropFuture(future int32)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]incoming-response
func cortexDropResponse(response int32)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]incoming-body
func cortexDropBody(body int32)

//go:wasmimport wasi:io/poll@0.2.12 [resource-drop]pollable
func cortexDropPollable(pollable int32)

//go:wasmimport wasi:io/streams@0.2.12 [resource-drop]output-stream
func cortexDropOutput(stream int32)

//go:wasmimport wasi:io/streams@0.2.12 [resource-drop]input-stream
func cortexDropInput(stream int32)

//go:wasmimport wasi:io/error@0.2.12 [resource-drop]error
func cortexDropError(err int32)
