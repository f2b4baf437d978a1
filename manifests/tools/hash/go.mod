module tool.local/hash

go 1.24
