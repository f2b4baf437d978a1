module example.com/fetch
