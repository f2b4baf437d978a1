// A tool: it takes the parameters of tool.yml as JSON, and answers with anything that JSON can hold, or an error.
package main

import "errors"

// Args are the parameters of tool.yml.
type Args struct {
	Name string `json:"name"`
}

// Result is the answer.
type Result struct {
	Greeting string `json:"greeting"`
}

// Run answers one call.
func Run(args Args) (Result, error) {
	if args.Name == "" {
		return Result{}, errors.New("the name is empty")
	}
	return Result{Greeting: "Hello, " + args.Name + "!"}, nil
}
