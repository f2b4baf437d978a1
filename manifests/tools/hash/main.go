// The standard hash tool: digests of a text, or of bytes given as base64, in hexadecimal.
package main

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
)

// Args are the parameters of tool.yml, which has checked and defaulted them.
type Args struct {
	Data      string `json:"data"`
	Encoding  string `json:"encoding"`
	Algorithm string `json:"algorithm"`
}

// Result is the answer.
type Result struct {
	Algorithm string `json:"algorithm"`
	Hash      string `json:"hash"`
	Bytes     int    `json:"bytes"`
}

// Fault is an error with a code that programs can test.
type Fault struct{ code, message string }

func (fault Fault) Error() string { return fault.message }

// Code is what the caller sees beside the message.
func (fault Fault) Code() string { return fault.code }

// Run hashes.
func Run(args Args) (Result, error) {
	hasher, err := hasherOf(args.Algorithm)
	if err != nil {
		return Result{}, err
	}
	data, err := bytesOf(args.Data, args.Encoding)
	if err != nil {
		return Result{}, err
	}
	hasher.Write(data)
	return Result{args.Algorithm, hex.EncodeToString(hasher.Sum(nil)), len(data)}, nil
}

func hasherOf(algorithm string) (hash.Hash, error) {
	switch algorithm {
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	case "md5":
		return md5.New(), nil
	case "crc32":
		return crc32.NewIEEE(), nil
	}
	return nil, Fault{"unknown_algorithm", fmt.Sprintf("unknown algorithm %q; there are sha256, sha512, md5 and crc32", algorithm)}
}

func bytesOf(data, encoding string) ([]byte, error) {
	switch encoding {
	case "text":
		return []byte(data), nil
	case "base64":
		decoded, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, Fault{"invalid_base64", "the data is not base64: " + err.Error()}
		}
		return decoded, nil
	}
	return nil, Fault{"unknown_encoding", fmt.Sprintf("unknown encoding %q; there are text and base64", encoding)}
}
