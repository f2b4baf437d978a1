package main

func Run(n int) (int, error) { return 2 * n, nil }
